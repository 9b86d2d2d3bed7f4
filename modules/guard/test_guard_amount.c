// SPDX-License-Identifier: MIT
/* Limits as text and in fixed point: what passes is what was asked for, and never more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <string.h>

/* A module exports nothing to test it by. NOLINTBEGIN(bugprone-suspicious-include) */
#include "guard_amount.c"
#include "guard_prefix.c"
/* NOLINTEND(bugprone-suspicious-include) */

static void test_targets(void **state)
{
	static const struct {
		const char *text;
		const char *written; /* NULL: none */
	} rows[] = {
		{"10.0.0.1/8", "10.0.0.0/8"},
		{"192.0.2.7", "192.0.2.7"},
		{"2001:db8::/32", "2001:db8::/32"},
		{"53/udp", "53/udp"},
		{"443/tcp", "443/tcp"},
		{"sources", "sources"},
		{"53", NULL},
		{"0/tcp", NULL},
		{"65536/tcp", NULL},
		{"1-2/tcp", NULL},
		{"53/sctp", NULL},
		{"everybody", NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct guard_target t = {0};
		struct buf text = {0};

		assert_int_equal(guard_target_parse(rows[i].text, &t), rows[i].written != NULL);
		if (!rows[i].written)
			continue;
		guard_target_add_text(&t, &text);
		assert_string_equal(buf_str(&text), rows[i].written);
		buf_free(&text);
	}
}

static void test_limits_as_text(void **state)
{
	struct guard_target target;
	struct guard_amount amount;
	struct buf text = {0};
	struct error error;

	(void)state;
	assert_int_equal(guard_limit_parse("10.0.0.0/8  5kpps\t20mbit", &target, &amount, &error),
			 0);
	assert_int_equal(target.kind, GUARD_TARGET_NETWORK);
	assert_int_equal(amount.bits, 20000000);
	assert_int_equal(amount.packets, 5000);
	guard_amount_add_text(&amount, &text);
	assert_string_equal(buf_str(&text), "20mbit 5kpps");
	buf_free(&text);
	assert_int_equal(guard_limit_parse("53/udp 10kpps", &target, &amount, &error), 0);
	assert_int_equal(target.protocol, IPPROTO_UDP);
	assert_int_equal(target.port, 53);
	assert_int_equal(amount.bits, 0);
}

static void test_limits_that_are_none(void **state)
{
	static const char *const rows[][2] = {
		{"", "'' is not a network"},
		{"53/udp", "how much?"},
		{"53/udp fast", "'fast' is not a rate"},
		{"sources 10", "'10' is not a rate"},
		{"sources 999bit", "too little"},
		{"sources 0pps", "too little"},
		{"x 5kpps", "'x' is not a network"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct guard_target target;
		struct guard_amount amount;
		struct error error = {.text = ""};

		assert_int_equal(guard_limit_parse(rows[i][0], &target, &amount, &error), -EINVAL);
		if (!strstr(error.text, rows[i][1]))
			fail_msg("'%s': %s", rows[i][0], error.text);
	}
}

/* ---- fixed point ---- */

/* What the kernel does: guard_conforms() of guard_limits.bpf.h. */
static bool conforms(uint64_t *tat, uint64_t now, uint64_t cost, uint64_t tau)
{
	uint64_t next = MAX(*tat, now) + cost;

	if (next - now > tau)
		return false;
	*tat = next;
	return true;
}

/* Packets of @bytes that pass in @seconds of an endless flood. */
static uint64_t flood(const struct guard_rate *r, uint64_t bytes, unsigned seconds)
{
	uint64_t packets_tat = 0, bytes_tat = 0, passed = 0;
	uint64_t cost = bytes * r->byte_cost >> GUARD_BYTE_COST_BITS;
	/* one packet a microsecond */
	uint64_t step = 1000 << GUARD_TIME_BITS, end = seconds * SECOND;

	for (uint64_t now = SECOND; now < SECOND + end; now += step) {
		uint64_t before = packets_tat;

		if (r->packet_cost && !conforms(&packets_tat, now, r->packet_cost, r->packet_tau))
			continue;
		if (r->byte_cost && !conforms(&bytes_tat, now, cost, r->byte_tau)) {
			packets_tat = before;
			continue;
		}
		passed++;
	}
	return passed;
}

static void test_what_passes_is_the_rate_and_a_burst(void **state)
{
	static const uint64_t rates[] = {1, 7, 100, 5000, 99999, 400000};
	enum { SECONDS = 4, BYTES = 1000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		const struct guard_amount packets = {.packets = rates[i]};
		const struct guard_amount bits = {.bits = UINT64_C(8) * BYTES * rates[i]};
		struct guard_rate r = guard_amount_rate(&packets);
		uint64_t burst = MAX((uint64_t)GUARD_BURST_PACKETS, rates[i] / 10);
		uint64_t passed = flood(&r, BYTES, SECONDS);

		assert_in_range(passed, SECONDS * rates[i], SECONDS * rates[i] + burst + 1);
		r = guard_amount_rate(&bits);
		burst = MAX((uint64_t)GUARD_BURST_BYTES / BYTES, rates[i] / 10);
		passed = flood(&r, BYTES, SECONDS);
		assert_in_range(passed, SECONDS * rates[i], SECONDS * rates[i] + burst + 1);
	}
}

static void test_the_tighter_of_two_holds(void **state)
{
	const struct guard_amount amount = {.bits = 8000000, .packets = 100};
	struct guard_rate r = guard_amount_rate(&amount);

	(void)state;
	assert_in_range(flood(&r, 64, 2), 200, 211);  /* by packets */
	assert_in_range(flood(&r, 50000, 2), 38, 43); /* by bits: 20 a second */
}

/* The largest packet at the least rate must not overflow, nor the largest rate cost nothing. */
static void test_the_ends_of_the_range(void **state)
{
	const struct guard_amount least = {GUARD_LEAST_BITS, GUARD_LEAST_PACKETS};
	const struct guard_amount most = {.bits = 1000000000000, .packets = 1000000000};
	struct guard_rate r = guard_amount_rate(&least);

	(void)state;
	assert_true(r.byte_cost < UINT64_MAX / 65535);
	assert_true(r.byte_tau > 9018 * r.byte_cost >> GUARD_BYTE_COST_BITS);
	assert_true(r.packet_tau < UINT64_C(1) << 62 && r.byte_tau < UINT64_C(1) << 62);
	r = guard_amount_rate(&most);
	assert_int_equal(r.packet_cost, 64);
	assert_in_range(r.byte_cost, 524, 525);
	assert_true(r.byte_tau >= (uint64_t)GUARD_TAU_MIN_NS << GUARD_TIME_BITS);
}

static void test_ports_draw_less_than_comes_at_once(void **state)
{
	static const struct guard_amount amounts[] = {
		{.packets = 1},
		{.packets = 10000},
		{.bits = 1000},
		{.bits = 1000000000},
		{.bits = 20000000, .packets = 5000},
	};
	static const unsigned cpus[] = {1, 2, 64, 1024};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(amounts) * ARRAY_SIZE(cpus); i++) {
		const struct guard_amount *a = &amounts[i / ARRAY_SIZE(cpus)];
		struct guard_port_limit l = guard_amount_port_limit(a, cpus[i % ARRAY_SIZE(cpus)]);

		assert_int_equal(l.packets_tat, 0);
		assert_true(!a->packets || (l.packets_batch >= l.rate.packet_cost &&
					    l.packets_batch < l.rate.packet_tau));
		assert_true(!a->bits || (l.bytes_batch > 0 && l.bytes_batch < l.rate.byte_tau));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_limits_as_text),
		cmocka_unit_test(test_limits_that_are_none),
		cmocka_unit_test(test_what_passes_is_the_rate_and_a_burst),
		cmocka_unit_test(test_the_tighter_of_two_holds),
		cmocka_unit_test(test_the_ends_of_the_range),
		cmocka_unit_test(test_ports_draw_less_than_comes_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
