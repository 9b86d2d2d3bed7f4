// SPDX-License-Identifier: MIT
#include "guard_bans.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "guard_map.h"
#include "kernel/mapwrite.h"

enum { SWEPT_AT_ONCE = 4096 };

struct guard_prefix guard_ban_network(const struct guard *g, const struct guard_prefix *address)
{
	struct guard_prefix network = *address;

	if (guard_prefix_is_ipv4(address) || address->prefixlen <= g->settings->source_prefix)
		return network;
	return guard_prefix_cut(address, g->settings->source_prefix);
}

static bool lasts(const struct guard_ban *ban)
{
	return !ban->expires_ns || ban->expires_ns > clock_monotonic_ns();
}

int guard_ban_get(const struct guard *g, const struct guard_prefix *network, struct guard_ban *ret)
{
	int err = mapwrite_get(g->bans.fd, network->address, ret);

	return err ? err : lasts(ret) ? 0 : -ENOENT;
}

static void note_change(struct guard *g)
{
	guard_settings_set_flag(g->settings, GUARD_BANS, g->n_bans || g->options.simple);
	guard_settings_renew(g->settings);
}

static bool is_there(const struct guard *g, const struct guard_prefix *network)
{
	struct guard_ban ban;

	return mapwrite_get(g->bans.fd, network->address, &ban) == 0;
}

int guard_ban_put(struct guard *g, const struct guard_prefix *network, const struct guard_ban *ban,
		  struct error *e)
{
	bool is_new = !is_there(g, network);
	char text[GUARD_PREFIX_TEXT];
	int err = mapwrite_put(g->bans.fd, network->address, ban);

	guard_prefix_print(network, text);
	if (err == -E2BIG || err == -ENOSPC)
		return error_set(e, err, "there is no room for the ban of %s: %u are there", text,
				 GUARD_BANS_MAX);
	if (err)
		return error_set(e, err, "cannot ban %s: %s", text, error_words(err));
	g->n_bans += is_new;
	note_change(g);
	return 0;
}

int guard_ban_remove(struct guard *g, const struct guard_prefix *network, struct error *e)
{
	char text[GUARD_PREFIX_TEXT];
	int err = mapwrite_remove(g->bans.fd, network->address);

	if (err == -ENOENT)
		return 0;
	guard_prefix_print(network, text);
	if (err)
		return error_set(e, err, "cannot end the ban of %s: %s", text, error_words(err));
	g->n_bans -= g->n_bans > 0;
	note_change(g);
	return 0;
}

/* ---- all of them ---- */

/* A key says no length: of IPv6 it is the source prefix, unless there is more behind that. */
static struct guard_prefix network_of(const struct guard *g, const void *key)
{
	struct guard_prefix whole = {.prefixlen = GUARD_ADDRESS_BITS}, network;

	memcpy(whole.address, key, sizeof(whole.address));
	network = guard_ban_network(g, &whole);
	return memcmp(network.address, whole.address, sizeof(whole.address)) ? whole : network;
}

struct walk {
	const struct guard *g;
	guard_ban_fn fn;
	void *ctx;
};

static int on_ban(void *ctx, const void *key, const void *value)
{
	const struct walk *w = ctx;
	struct guard_prefix network = network_of(w->g, key);
	struct guard_ban ban;

	memcpy(&ban, value, sizeof(ban));
	return lasts(&ban) ? w->fn(w->ctx, &network, &ban) : 0;
}

int guard_bans_each(const struct guard *g, guard_ban_fn fn, void *ctx, struct error *e)
{
	struct walk w = {.g = g, .fn = fn, .ctx = ctx};

	return guard_map_each(&g->bans, on_ban, &w, e);
}

/* ---- those that end, and those that the kernel made ---- */

struct sweep {
	struct guard *g;
	size_t seen;
	size_t automatic;
	size_t n_ended;
	struct guard_address ended[SWEPT_AT_ONCE];
};

static bool is_protected(const struct guard *g, const struct guard_prefix *network)
{
	size_t at = 0;

	return guard_protected_next(&g->protected, network, &at) != NULL;
}

/* A ban by the kernel (profile: simple) that was not seen before. */
static void note_automatic(struct sweep *s, const void *key, const struct guard_ban *ban)
{
	struct guard_prefix network = network_of(s->g, key);
	char text[GUARD_PREFIX_TEXT], time[UNITS_TEXT_MAX];
	bool protected = is_protected(s->g, &network);

	if (ban->origin != GUARD_AUTOMATIC || (ban->since_ns < s->g->swept_ns && !protected))
		return;
	guard_prefix_print(&network, text);
	guard_log_write(&s->g->log, protected ? "ban taken back" : "ban", text, "guard",
			"more than %u connection attempts a second, for %s%s",
			s->g->options.syn_threshold,
			timespan_text(ban->expires_ns - ban->since_ns, time),
			protected ? "; but it is protected" : "");
	if (protected && s->n_ended < SWEPT_AT_ONCE)
		memcpy(&s->ended[s->n_ended++], key, sizeof(s->ended[0]));
}

static int sweep_one(void *ctx, const void *key, const void *value)
{
	struct sweep *s = ctx;
	struct guard_ban ban;

	memcpy(&ban, value, sizeof(ban));
	s->seen++;
	s->automatic += ban.origin == GUARD_AUTOMATIC;
	if (lasts(&ban))
		note_automatic(s, key, &ban);
	else if (s->n_ended < SWEPT_AT_ONCE)
		memcpy(&s->ended[s->n_ended++], key, sizeof(s->ended[0]));
	return 0;
}

/* With as many bans as guard may make by itself it makes no more, until some have ended. */
static void hold_to_cap(struct guard *g, size_t automatic)
{
	bool may = g->options.simple && automatic < g->options.automatic_bans;
	bool could = g->settings->flags & GUARD_SIMPLE;

	if (may == could)
		return;
	guard_settings_set_flag(g->settings, GUARD_SIMPLE, may);
	guard_log_write(&g->log, may ? "automatic bans" : "no more automatic bans", "guard",
			"guard", "there are %zu, and at most %u are made", automatic,
			g->options.automatic_bans);
}

int guard_bans_sweep(struct guard *g, struct error *e)
{
	struct sweep *s = calloc(1, sizeof(*s));
	uint64_t now = clock_monotonic_ns();
	size_t before = g->n_bans;
	int err;

	if (!s)
		return error_set(e, -ENOMEM, "no memory");
	s->g = g;
	err = guard_map_each(&g->bans, sweep_one, s, e);
	for (size_t i = 0; !err && i < s->n_ended; i++)
		s->seen -= mapwrite_remove(g->bans.fd, &s->ended[i]) == 0;
	if (!err) {
		g->n_bans = s->seen;
		g->swept_ns = now;
		hold_to_cap(g, s->automatic);
	}
	if (s->n_ended || !before != !g->n_bans)
		note_change(g);
	free(s);
	return err;
}
