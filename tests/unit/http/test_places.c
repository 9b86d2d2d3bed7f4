// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/macro.h"
#include "http/places.h"

enum { COUNT = 8 };

static const struct place_limits no_limits = {UINT64_MAX, UINT64_MAX};

static struct places places;

static int make(void **state)
{
	(void)state;
	return places_init(&places, COUNT, sizeof(struct place) + 64);
}

static int drop(void **state)
{
	(void)state;
	places_free(&places);
	return 0;
}

static struct place *take(uint16_t peer, enum place_use use)
{
	struct place *p = places_take(&places, peer, 0);

	places_use(&places, p, use, no_limits, 0);
	return p;
}

static void test_all_can_be_had_again_and_again(void **state)
{
	struct place *taken[COUNT], *victim;

	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		for (uint16_t i = 0; i < COUNT; i++) {
			assert_true(places_has_room(&places, i, &victim));
			taken[i] = places_take(&places, i, 0);
			for (uint16_t k = 0; k < i; k++)
				assert_ptr_not_equal(taken[i], taken[k]);
		}
		assert_false(places_has_room(&places, COUNT, &victim));
		assert_null(places_take(&places, COUNT, 0));
		for (size_t i = 0; i < COUNT; i++)
			places_give_back(&places, taken[i]);
	}
	/* The one that was given back last comes first. */
	assert_ptr_equal(places_take(&places, 0, 0), taken[COUNT - 1]);
}

static void test_who_goes_first(void **state)
{
	struct place *kept = take(0, PLACE_KEPT), *writes = take(1, PLACE_WRITING);
	struct place *reads = take(2, PLACE_READING), *idle = take(3, PLACE_IDLE);
	struct place *idle_later = take(4, PLACE_IDLE);

	(void)state;
	assert_ptr_equal(places_victim(&places), idle);
	places_touch(&places, idle, 1);
	assert_ptr_equal(places_victim(&places), idle_later);
	places_give_back(&places, idle);
	places_give_back(&places, idle_later);
	assert_ptr_equal(places_victim(&places), reads);
	places_give_back(&places, reads);
	assert_ptr_equal(places_victim(&places), writes);
	places_give_back(&places, writes);
	assert_null(places_victim(&places));
	places_give_back(&places, kept);
}

static void test_nobody_takes_more_than_half(void **state)
{
	struct place *other = take(1, PLACE_IDLE), *first = take(0, PLACE_WRITING), *victim;

	(void)state;
	for (unsigned i = 1; i < COUNT / 2; i++)
		take(0, PLACE_KEPT);
	/* There is room, but not for that one, who gives up one of its own; else the idle one. */
	assert_false(places_has_room(&places, 0, &victim));
	assert_ptr_equal(victim, first);
	places_give_back(&places, first);
	assert_true(places_has_room(&places, 0, &victim));
	take(0, PLACE_KEPT);
	assert_false(places_has_room(&places, 0, &victim));
	assert_null(victim);
	assert_true(places_has_room(&places, 1, &victim));
	while (places.n_taken < COUNT)
		take(2, PLACE_KEPT);
	assert_false(places_has_room(&places, 3, &victim));
	assert_ptr_equal(victim, other);
}

static void test_limits(void **state)
{
	struct place *a = places_take(&places, 0, 100), *b = places_take(&places, 0, 100);

	(void)state;
	assert_null(places_expired(&places, UINT64_MAX - 1));
	places_use(&places, a, PLACE_READING, (struct place_limits){50, 120}, 100);
	places_use(&places, b, PLACE_IDLE, (struct place_limits){500, UINT64_MAX}, 100);
	assert_true(places.earliest_ns <= 150);
	assert_null(places_expired(&places, 149));
	assert_ptr_equal(places_expired(&places, 150), a);
	places_touch(&places, a, 149);
	assert_null(places_expired(&places, 198));
	assert_int_equal(places.earliest_ns, 199);
	places_touch(&places, a, 198);
	assert_null(places_expired(&places, 219));
	assert_ptr_equal(places_expired(&places, 220), a); /* altogether */
	places_give_back(&places, a);
	assert_null(places_expired(&places, 599));
	assert_ptr_equal(places_expired(&places, 600), b);
	places_give_back(&places, b);
	assert_null(places_expired(&places, 600));
	assert_true(places.earliest_ns == UINT64_MAX);
}

static uint16_t peer_of(const char *text)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct sockaddr_in v4 = {.sin_family = AF_INET};

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		return places_peer(&places, (struct sockaddr *)&v4);
	assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
	return places_peer(&places, (struct sockaddr *)&v6);
}

static void test_peers(void **state)
{
	(void)state;
	places.seed = 1; /* with which none of these fall together */
	assert_int_equal(peer_of("192.0.2.1"), peer_of("::ffff:192.0.2.1"));
	assert_int_not_equal(peer_of("192.0.2.1"), peer_of("192.0.2.2"));
	assert_int_equal(peer_of("2001:db8::1"), peer_of("2001:db8::ffff:0:0:2"));
	assert_int_not_equal(peer_of("2001:db8::1"), peer_of("2001:db8:0:1::1"));
	assert_true(places_peer(&places, &(struct sockaddr){.sa_family = AF_UNIX}) < PLACES_PEERS);
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
