// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/macro.h"
#include "http/seats.h"

enum { COUNT = 8 };

static const struct seat_limits no_limits = {UINT64_MAX, UINT64_MAX};

static struct seats seats;

static int make(void **state)
{
	(void)state;
	return seats_init(&seats, COUNT, sizeof(struct seat) + 64);
}

static int drop(void **state)
{
	(void)state;
	seats_free(&seats);
	return 0;
}

static struct seat *take(uint16_t peer, enum seat_use use)
{
	struct seat *p = seats_take(&seats, peer, 0);

	seats_use(&seats, p, use, no_limits, 0);
	return p;
}

static void test_all_can_be_had_again_and_again(void **state)
{
	struct seat *taken[COUNT], *victim;

	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		for (uint16_t i = 0; i < (uint16_t)COUNT; i++) {
			assert_true(seats_has_room(&seats, i, &victim));
			taken[i] = seats_take(&seats, i, 0);
			for (uint16_t k = 0; k < i; k++)
				assert_ptr_not_equal(taken[i], taken[k]);
		}
		assert_false(seats_has_room(&seats, COUNT, &victim));
		assert_null(seats_take(&seats, COUNT, 0));
		for (size_t i = 0; i < COUNT; i++)
			seats_give_back(&seats, taken[i]);
	}
	/* The one that was given back last comes first. */
	assert_ptr_equal(seats_take(&seats, 0, 0), taken[COUNT - 1]);
}

static void test_who_goes_first(void **state)
{
	struct seat *kept = take(0, SEAT_KEPT), *writes = take(1, SEAT_WRITING);
	struct seat *reads = take(2, SEAT_READING), *idle = take(3, SEAT_IDLE);
	struct seat *idle_later = take(4, SEAT_IDLE);

	(void)state;
	assert_ptr_equal(seats_victim(&seats), idle);
	seats_touch(&seats, idle, 1);
	assert_ptr_equal(seats_victim(&seats), idle_later);
	seats_give_back(&seats, idle);
	seats_give_back(&seats, idle_later);
	assert_ptr_equal(seats_victim(&seats), reads);
	seats_give_back(&seats, reads);
	assert_ptr_equal(seats_victim(&seats), writes);
	seats_give_back(&seats, writes);
	assert_null(seats_victim(&seats));
	seats_give_back(&seats, kept);
}

static void test_nobody_takes_more_than_half(void **state)
{
	struct seat *other = take(1, SEAT_IDLE), *first = take(0, SEAT_WRITING), *victim;

	(void)state;
	for (unsigned i = 1; i < COUNT / 2; i++)
		take(0, SEAT_KEPT);
	/* There is room, but not for that one, who gives up one of its own; else the idle one. */
	assert_false(seats_has_room(&seats, 0, &victim));
	assert_ptr_equal(victim, first);
	seats_give_back(&seats, first);
	assert_true(seats_has_room(&seats, 0, &victim));
	take(0, SEAT_KEPT);
	assert_false(seats_has_room(&seats, 0, &victim));
	assert_null(victim);
	assert_true(seats_has_room(&seats, 1, &victim));
	while (seats.n_taken < COUNT)
		take(2, SEAT_KEPT);
	assert_false(seats_has_room(&seats, 3, &victim));
	assert_ptr_equal(victim, other);
}

static void test_limits(void **state)
{
	struct seat *a = seats_take(&seats, 0, 100), *b = seats_take(&seats, 0, 100);

	(void)state;
	assert_null(seats_expired(&seats, UINT64_MAX - 1));
	seats_use(&seats, a, SEAT_READING, (struct seat_limits){50, 120}, 100);
	seats_use(&seats, b, SEAT_IDLE, (struct seat_limits){500, UINT64_MAX}, 100);
	assert_true(seats.earliest_ns <= 150);
	assert_null(seats_expired(&seats, 149));
	assert_ptr_equal(seats_expired(&seats, 150), a);
	seats_touch(&seats, a, 149);
	assert_null(seats_expired(&seats, 198));
	assert_int_equal(seats.earliest_ns, 199);
	seats_touch(&seats, a, 198);
	assert_null(seats_expired(&seats, 219));
	assert_ptr_equal(seats_expired(&seats, 220), a); /* altogether */
	seats_give_back(&seats, a);
	assert_null(seats_expired(&seats, 599));
	assert_ptr_equal(seats_expired(&seats, 600), b);
	seats_give_back(&seats, b);
	assert_null(seats_expired(&seats, 600));
	assert_true(seats.earliest_ns == UINT64_MAX);
}

static uint16_t peer_of(const char *text)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct sockaddr_in v4 = {.sin_family = AF_INET};

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		return seats_peer(&seats, (struct sockaddr *)&v4);
	assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
	return seats_peer(&seats, (struct sockaddr *)&v6);
}

static void test_peers(void **state)
{
	(void)state;
	seats.seed = 1; /* with which none of these fall together */
	assert_int_equal(peer_of("192.0.2.1"), peer_of("::ffff:192.0.2.1"));
	assert_int_not_equal(peer_of("192.0.2.1"), peer_of("192.0.2.2"));
	assert_int_equal(peer_of("2001:db8::1"), peer_of("2001:db8::ffff:0:0:2"));
	assert_int_not_equal(peer_of("2001:db8::1"), peer_of("2001:db8:0:1::1"));
	assert_true(seats_peer(&seats, &(struct sockaddr){.sa_family = AF_UNIX}) < SEATS_PEERS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_can_be_had_again_and_again, make, drop),
		cmocka_unit_test_setup_teardown(test_who_goes_first, make, drop),
		cmocka_unit_test_setup_teardown(test_nobody_takes_more_than_half, make, drop),
		cmocka_unit_test_setup_teardown(test_limits, make, drop),
		cmocka_unit_test_setup_teardown(test_peers, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
