// SPDX-License-Identifier: MIT
/* Changes that are taken back unless somebody confirms them, also by the next daemon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* A module exports nothing to test it by. NOLINTBEGIN(bugprone-suspicious-include) */
#include "guard_confirm.c"
/* NOLINTEND(bugprone-suspicious-include) */

/* What is changed in these tests: the mode, and limits that are numbers in an array. */
static uint8_t mode;
static uint64_t limits[65536];
static bool refuse;

int guard_change_make(struct guard *g, const struct guard_change *c, struct error *e)
{
	(void)g;
	if (refuse)
		return error_set(e, -EIO, "it does not work");
	if (c->kind == GUARD_CHANGE_MODE)
		mode = c->value;
	else
		limits[c->target.port] = c->amount.bits;
	return 0;
}

bool guard_change_same(const struct guard_change *a, const struct guard_change *b)
{
	return a->kind == b->kind && a->target.port == b->target.port;
}

void guard_change_describe(const struct guard_change *c, struct buf *text)
{
	buf_printf(text, "limit %u", c->target.port);
}

void guard_log_write(struct guard_log *l, const char *action, const char *subject, const char *by,
		     const char *fmt, ...)
{
	(void)l;
	(void)action;
	(void)subject;
	(void)by;
	(void)fmt;
}

static struct map_info make_array(uint32_t value_size, uint32_t entries)
{
	struct map_info map = {.name = "test",
			       .type = BPF_MAP_TYPE_ARRAY,
			       .key_size = sizeof(uint32_t),
			       .value_size = value_size,
			       .max_entries = entries};

	map.fd = bpf_map_create(map.type, "test", map.key_size, value_size, entries, NULL);
	assert_true(map.fd >= 0);
	return map;
}

static int set_up(void **state)
{
	const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
	struct guard *g = calloc(1, sizeof(*g));

	assert_non_null(g);
	(void)setrlimit(RLIMIT_MEMLOCK, &all);
	g->pending = make_array(sizeof(struct guard_pending), GUARD_PENDING_MAX);
	g->memory = make_array(sizeof(struct guard_memory), 1);
	mode = GUARD_ENFORCE;
	memset(limits, 0, sizeof(limits));
	refuse = false;
	*state = g;
	return 0;
}

static int tear_down(void **state)
{
	struct guard *g = *state;

	close(g->pending.fd);
	close(g->memory.fd);
	free(g);
	return 0;
}

static struct guard_change limit(uint16_t port, uint64_t bits)
{
	return (struct guard_change){
		.kind = GUARD_CHANGE_LIMIT,
		.target = {.kind = GUARD_TARGET_PORT, .port = port},
		.amount.bits = bits,
	};
}

/* The limit of @port becomes @bits, to be confirmed in @ns. */
static uint32_t change(struct guard *g, uint16_t port, uint64_t bits, uint64_t ns)
{
	struct guard_change before = limit(port, limits[port]);
	struct error error;
	uint32_t id = 0;

	assert_int_equal(guard_confirm_arm(g, &before, ns, &id, &error), 0);
	limits[port] = bits;
	return id;
}

static uint64_t in(uint64_t seconds)
{
	return clock_monotonic_ns() + seconds * NSEC_PER_SEC;
}

static void test_nobody_confirms(void **state)
{
	struct guard *g = *state;
	const struct guard_change before = {.kind = GUARD_CHANGE_MODE, .value = GUARD_MONITOR};
	struct error error;
	uint32_t id;

	assert_true(guard_confirm_tick(g, in(0)) == UINT64_MAX);
	assert_int_equal(guard_confirm_arm(g, &before, 60 * NSEC_PER_SEC, &id, &error), 0);
	assert_in_range(guard_confirm_tick(g, in(59)), in(59), in(60));
	assert_int_equal(mode, GUARD_ENFORCE);
	assert_true(guard_confirm_tick(g, in(61)) == UINT64_MAX);
	assert_int_equal(mode, GUARD_MONITOR);
	mode = GUARD_ENFORCE;
	guard_confirm_tick(g, in(1000));
	assert_int_equal(mode, GUARD_ENFORCE);
}

static void test_somebody_confirms(void **state)
{
	struct guard *g = *state;
	struct error error;
	uint32_t first = change(g, 1, 10, NSEC_PER_SEC), second = change(g, 2, 20, NSEC_PER_SEC);

	assert_int_not_equal(first, second);
	assert_int_equal(guard_confirm_settle(g, first, false, "me", &error), 1);
	assert_int_equal(guard_confirm_settle(g, first, false, "me", &error), 0);
	guard_confirm_tick(g, in(2));
	assert_int_equal(limits[1], 10);
	assert_int_equal(limits[2], 0);
}

static void test_all_are_reverted(void **state)
{
	struct guard *g = *state;
	struct error error;

	for (uint16_t port = 1; port <= 5; port++)
		change(g, port, port, 60 * NSEC_PER_SEC);
	assert_int_equal(guard_confirm_settle(g, 0, true, "me", &error), 5);
	for (uint16_t port = 1; port <= 5; port++)
		assert_int_equal(limits[port], 0);
}

/* Of two changes of one thing it is the first whose before counts, and the last whose time does. */
static void test_changed_again_before_it_was_confirmed(void **state)
{
	struct guard *g = *state;
	uint32_t id;

	limits[1] = 5;
	id = change(g, 1, 10, NSEC_PER_SEC);
	assert_int_equal(change(g, 1, 20, 60 * NSEC_PER_SEC), id);
	guard_confirm_tick(g, in(2));
	assert_int_equal(limits[1], 20);
	guard_confirm_tick(g, in(61));
	assert_int_equal(limits[1], 5);
}

static void test_decided_otherwise_since(void **state)
{
	const struct guard_change now = limit(1, 30);
	struct guard *g = *state;

	change(g, 1, 10, NSEC_PER_SEC);
	change(g, 2, 10, NSEC_PER_SEC);
	guard_confirm_forget(g, &now);
	limits[1] = 30;
	guard_confirm_tick(g, in(2));
	assert_int_equal(limits[1], 30);
	assert_int_equal(limits[2], 0);
}

static void test_too_many_wait(void **state)
{
	struct guard *g = *state;
	struct guard_change before = limit(1000, 0);
	struct error error;
	uint32_t id;

	for (int port = 1; port <= GUARD_PENDING_MAX; port++)
		change(g, (uint16_t)port, 1, 60 * NSEC_PER_SEC);
	assert_int_equal(guard_confirm_arm(g, &before, 1, &id, &error), -ENOSPC);
	assert_int_equal(change(g, 7, 2, 60 * NSEC_PER_SEC), 7); /* waits already */
	assert_int_equal(guard_confirm_settle(g, 0, true, "me", &error), GUARD_PENDING_MAX);
}

/* The map is what the next daemon has of it. */
static void test_the_next_daemon_goes_on(void **state)
{
	struct guard *g = *state, next = {.pending = g->pending, .memory = g->memory};
	uint32_t id = change(g, 1, 10, NSEC_PER_SEC);

	guard_confirm_tick(&next, in(2));
	assert_int_equal(limits[1], 0);
	assert_int_equal(change(&next, 1, 10, NSEC_PER_SEC), id + 1);
}

static void test_what_cannot_be_taken_back_is_tried_again(void **state)
{
	struct guard *g = *state;

	change(g, 1, 10, NSEC_PER_SEC);
	refuse = true;
	guard_confirm_tick(g, in(2));
	assert_int_equal(limits[1], 10);
	refuse = false;
	guard_confirm_tick(g, in(2));
	assert_int_equal(limits[1], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nobody_confirms, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_somebody_confirms, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_all_are_reverted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_changed_again_before_it_was_confirmed, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_decided_otherwise_since, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_many_wait, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_next_daemon_goes_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_cannot_be_taken_back_is_tried_again,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
