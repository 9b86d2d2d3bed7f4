// SPDX-License-Identifier: MIT
/* What is an attack and what is not, when its defence begins and when it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A module exports nothing to test it by. NOLINTBEGIN(bugprone-suspicious-include) */
#include "guard_detect.c"
#include "guard_map.c"
#include "guard_prefix.c"
/* NOLINTEND(bugprone-suspicious-include) */

void guard_log_write(struct guard_log *l, const char *action, const char *subject, const char *by,
		     const char *fmt, ...)
{
	(void)l;
	(void)action;
	(void)subject;
	(void)by;
	(void)fmt;
}

void guard_settings_set_flag(struct guard_settings *settings, uint32_t flag, bool on)
{
	(void)settings;
	(void)flag;
	(void)on;
}

static const struct guard_detect_options options = {
	.factor = 8,
	.least = 1000,
	.least_syns = 100,
	.hold_s = 30,
	.longest_s = 600,
	.drop_share_max = 0.8,
};

/* Seconds, and how each ended. */
struct history {
	struct guard_watch watch;
	struct guard_defence defence;
	enum guard_detect_may may;
	unsigned begins, ends;
};

static void pass(struct history *h, unsigned seconds, struct guard_traffic traffic)
{
	for (unsigned i = 0; i < seconds; i++) {
		enum guard_detect_event event =
			guard_watch_step(&options, &h->watch, &traffic, h->may, &h->defence);

		h->begins += event == GUARD_DETECT_BEGINS;
		h->ends += event == GUARD_DETECT_ENDS;
	}
}

static struct guard_traffic packets(double n)
{
	return (struct guard_traffic){.packets = n};
}

static struct guard_traffic syns(double n, double acks)
{
	return (struct guard_traffic){.packets = n + acks, .syns = n, .acks = acks};
}

static double share(const struct history *h)
{
	return h->defence.drop_share / SHARE_ONE;
}

static void test_a_flood_begins_and_ends(void **state)
{
	struct history h = {.may = GUARD_DETECT_BEGIN};

	(void)state;
	pass(&h, 100, packets(500));
	pass(&h, 2, packets(20000));
	assert_int_equal(h.begins, 0);
	assert_int_equal(h.defence.drop_share, 0);
	pass(&h, 1, packets(20000));
	assert_int_equal(h.begins, 1);
	assert_in_range((int)(100 * share(&h)), 78, 80); /* 4000 of 20000 pass; at most 80 % */
	assert_true(h.defence.fair_share > 0);
	pass(&h, 60, packets(8000));
	assert_in_range((int)(100 * share(&h)), 49, 51);
	pass(&h, 29, packets(500));
	assert_true(h.watch.defended);
	assert_int_equal(h.defence.drop_share, 0); /* nothing is too much of it */
	pass(&h, 1, packets(500));
	assert_int_equal(h.ends, 1);
	assert_int_equal(h.defence.fair_share, 0);
}

/* Between the limit and half of it is neither the one nor the other. */
static void test_up_and_down_is_one_attack(void **state)
{
	struct history h = {.may = GUARD_DETECT_BEGIN};

	(void)state;
	pass(&h, 100, packets(500));
	pass(&h, 10, packets(10000));
	for (int i = 0; i < 20; i++) {
		pass(&h, 20, packets(500));
		pass(&h, 5, packets(3000));
	}
	assert_int_equal(h.begins, 1);
	assert_int_equal(h.ends, 0);
	pass(&h, 30, packets(500));
	assert_int_equal(h.ends, 1);
}

static void test_what_is_usual_is_no_attack(void **state)
{
	struct history h = {.may = GUARD_DETECT_LEARN};

	(void)state;
	pass(&h, 60, packets(50000));
	h.may = GUARD_DETECT_BEGIN;
	pass(&h, 1000, packets(50000));
	pass(&h, 100, packets(300000));
	assert_int_equal(h.begins, 0);
	pass(&h, 3, packets(1200000));
	assert_int_equal(h.begins, 1);
}

/* Twice as much each ten minutes is growth. */
static void test_what_grows_slowly_is_no_attack(void **state)
{
	struct history h = {.may = GUARD_DETECT_BEGIN};
	double n = 500;

	(void)state;
	for (int i = 0; i < 10; i++, n *= 2)
		pass(&h, 600, packets(n));
	assert_int_equal(h.begins, 0);
}

static void test_an_attack_is_not_learnt(void **state)
{
	struct history h = {.may = GUARD_DETECT_BEGIN};

	(void)state;
	pass(&h, 100, packets(500));
	pass(&h, 500, packets(20000));
	assert_in_range((int)h.watch.usual.packets, 499, 501);
	assert_int_equal(h.ends, 0);
	/* but one that never ends is */
	pass(&h, 200, packets(20000));
	assert_int_equal(h.ends, 1);
	pass(&h, 1000, packets(20000));
	assert_int_equal(h.begins, 1);
}

/* Of the first second it is there for a part only: for as much as looks like a busy destination. */
static void test_the_beginning_of_an_attack_is_not_learnt(void **state)
{
	struct history h = {.may = GUARD_DETECT_BEGIN};

	(void)state;
	pass(&h, 1, packets(900));
	pass(&h, 3, packets(5000));
	assert_int_equal(h.begins, 1);
	h = (struct history){.may = GUARD_DETECT_LEARN};
	pass(&h, 1, packets(5));
	pass(&h, 1, packets(900));
	assert_in_range((int)h.watch.usual.packets, 899, 901);
}

static void test_syns(void **state)
{
	struct history h = {.may = GUARD_DETECT_BEGIN};

	(void)state;
	pass(&h, 100, syns(50, 500));
	/* a busy day: all of them are followed by more */
	pass(&h, 100, syns(5000, 20000));
	assert_int_equal(h.begins, 1); /* by its packets */
	assert_int_equal(h.defence.flags, 0);
	h = (struct history){.may = GUARD_DETECT_BEGIN};
	pass(&h, 100, syns(50, 500));
	pass(&h, 3, syns(900, 500));
	assert_int_equal(h.begins, 1);
	assert_int_equal(h.defence.flags, GUARD_DEFENCE_COOKIES);
	assert_int_equal(h.defence.drop_share, 0);
	pass(&h, 30, syns(50, 500));
	assert_int_equal(h.ends, 1);
}

static void test_not_more_than_may_be(void **state)
{
	struct history h = {.may = GUARD_DETECT_ENOUGH};

	(void)state;
	pass(&h, 100, packets(500));
	pass(&h, 100, packets(20000));
	assert_int_equal(h.begins, 0);
	h.may = GUARD_DETECT_BEGIN;
	pass(&h, 1, packets(20000));
	assert_int_equal(h.begins, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_flood_begins_and_ends),
		cmocka_unit_test(test_up_and_down_is_one_attack),
		cmocka_unit_test(test_what_is_usual_is_no_attack),
		cmocka_unit_test(test_what_grows_slowly_is_no_attack),
		cmocka_unit_test(test_an_attack_is_not_learnt),
		cmocka_unit_test(test_the_beginning_of_an_attack_is_not_learnt),
		cmocka_unit_test(test_syns),
		cmocka_unit_test(test_not_more_than_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
