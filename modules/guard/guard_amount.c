// SPDX-License-Identifier: MIT
#include "guard_amount.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "guard_prefix.h"

#define SECOND  (NSEC_PER_SEC << GUARD_TIME_BITS) /* in 1/64 ns */
#define SOURCES "sources"

enum {
	BITS_OF_BYTE = 8,
	FRAME_MAX = 9 << 10, /* bytes: what one packet may draw from a port's limit */
	CPU_SHARE = 8,       /* CPUs draw ahead so many times less than the burst, together */
};

/* ---- text ---- */

static bool parse_port(const char *text, struct guard_target *t)
{
	struct ports p;

	if (!strchr(text, '/') || !ports_parse(text, &p) || p.first != p.last || p.first == 0)
		return false;
	t->kind = GUARD_TARGET_PORT;
	t->port = p.first;
	t->protocol = p.protocol;
	return true;
}

bool guard_target_parse(const char *text, struct guard_target *ret)
{
	struct guard_target t = {.kind = GUARD_TARGET_SOURCES};

	if (guard_prefix_parse(text, &t.prefix))
		t.kind = GUARD_TARGET_NETWORK;
	else if (!STREQ(text, SOURCES) && !parse_port(text, &t))
		return false;
	*ret = t;
	return true;
}

void guard_target_add_text(const struct guard_target *t, struct buf *text)
{
	if (t->kind == GUARD_TARGET_NETWORK)
		guard_prefix_add_text(&t->prefix, text);
	else if (t->kind == GUARD_TARGET_PORT)
		buf_printf(text, "%u/%s", t->port, t->protocol == IPPROTO_TCP ? "tcp" : "udp");
	else
		buf_add_str(text, SOURCES);
}

int guard_amount_parse(const char *text, struct guard_amount *into, struct error *e)
{
	struct rate rate;

	if (!rate_parse(text, &rate))
		return error_set_usage(e, "'%s' is not " RATE_TAKES, text);
	if (rate.of == RATE_BITS && rate.per_second < GUARD_LEAST_BITS)
		return error_set_usage(e,
				       "'%s' is too little: at least %ubit; to let nothing "
				       "through, block",
				       text, GUARD_LEAST_BITS);
	if (rate.of == RATE_PACKETS && rate.per_second < GUARD_LEAST_PACKETS)
		return error_set_usage(e,
				       "'%s' is too little: at least %upps; to let nothing "
				       "through, block",
				       text, GUARD_LEAST_PACKETS);
	*(rate.of == RATE_BITS ? &into->bits : &into->packets) = rate.per_second;
	return 0;
}

static void add_rate(enum rate_of of, uint64_t per_second, struct buf *text)
{
	const struct rate rate = {.of = of, .per_second = per_second};
	char written[UNITS_TEXT_MAX];

	if (!per_second)
		return;
	if (text->len)
		buf_add_char(text, ' ');
	buf_add_str(text, rate_text(&rate, written));
}

void guard_amount_add_text(const struct guard_amount *a, struct buf *text)
{
	_cleanup_buf_ struct buf rates = {0};

	add_rate(RATE_BITS, a->bits, &rates);
	add_rate(RATE_PACKETS, a->packets, &rates);
	buf_add(text, rates.data, rates.len);
}

int guard_limit_parse(const char *text, struct guard_target *target, struct guard_amount *amount,
		      struct error *e)
{
	_cleanup_free_ char *copy = strdup(text);
	struct guard_amount a = {0};
	char *at, *word = copy ? strtok_r(copy, " \t", &at) : NULL;
	int err = 0;

	if (!copy)
		return error_set(e, -ENOMEM, "no memory");
	if (!word || !guard_target_parse(word, target))
		return error_set_usage(e, "limit '%s': '%s' is not " GUARD_TARGET_TAKES, text,
				       word ? word : "");
	while (!err && (word = strtok_r(NULL, " \t", &at)))
		err = guard_amount_parse(word, &a, e);
	if (err)
		return error_prefix(e, "limit '%s': ", text);
	if (!a.bits && !a.packets)
		return error_set_usage(e, "limit '%s': how much? " RATE_TAKES, text);
	*amount = a;
	return 0;
}

/* ---- fixed point ---- */

static uint64_t divide_up(uint64_t a, uint64_t b)
{
	return a / b + (a % b != 0);
}

static uint64_t at_least(uint64_t tau)
{
	return MAX(tau, (uint64_t)GUARD_TAU_MIN_NS << GUARD_TIME_BITS);
}

struct guard_rate guard_amount_rate(const struct guard_amount *a)
{
	const uint64_t burst = GUARD_BURST_NS << GUARD_TIME_BITS;
	struct guard_rate r = {0};

	if (a->packets) {
		r.packet_cost = divide_up(SECOND, a->packets);
		r.packet_tau = at_least(MAX(burst, GUARD_BURST_PACKETS * r.packet_cost));
	}
	if (a->bits) {
		r.byte_cost = divide_up((SECOND << GUARD_BYTE_COST_BITS) * BITS_OF_BYTE, a->bits);
		r.byte_tau = at_least(
			MAX(burst, GUARD_BURST_BYTES * r.byte_cost >> GUARD_BYTE_COST_BITS));
	}
	return r;
}

/* Enough for one packet, and less than all that may come at once. */
static uint64_t batch(uint64_t one, uint64_t tau, unsigned cpus)
{
	uint64_t share = tau / (CPU_SHARE * (uint64_t)cpus);

	return MIN(MAX(one, share), tau - 1);
}

struct guard_port_limit guard_amount_port_limit(const struct guard_amount *a, unsigned cpus)
{
	struct guard_port_limit l = {.rate = guard_amount_rate(a)};

	if (a->packets)
		l.packets_batch = batch(l.rate.packet_cost, l.rate.packet_tau, cpus);
	if (a->bits)
		l.bytes_batch = batch(FRAME_MAX * l.rate.byte_cost >> GUARD_BYTE_COST_BITS,
				      l.rate.byte_tau, cpus);
	return l;
}
