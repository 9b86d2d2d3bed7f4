// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macro.h"
#include "base/network.h"

static void test_what_is_a_network(void **state)
{
	static const struct {
		const char *text;
		size_t size;
		unsigned bits;
	} rows[] = {
		{"192.0.2.7", 4, 32},        {"10.0.0.0/8", 4, 8},      {"0.0.0.0/0", 4, 0},
		{"2001:db8::1", 16, 128},    {"2001:db8::/32", 16, 32}, {"::/0", 16, 0},
		{"::ffff:1.2.3.4", 16, 128},
	};
	struct network n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_true(network_parse(rows[i].text, &n));
		assert_int_equal(n.size, rows[i].size);
		assert_int_equal(n.bits, rows[i].bits);
	}
}

static void test_what_is_none(void **state)
{
	static const char *const texts[] = {
		"",
		"/",
		"/8",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/x",
		"10.0.0.0/ 8",
		"10.0.0.0/-1",
		"10.0.0.0/+8",
		"10.0.0.0/8/8",
		"::/129",
		"10.0/8",
		"eth0",
		"10.0.0.0/99999999999999999999",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb/16",
	};
	struct network n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_false(network_parse(texts[i], &n));
}

static void test_what_is_within(void **state)
{
	static const struct {
		const char *outer, *inner;
		bool within;
	} rows[] = {
		{"10.0.0.0/8", "10.255.0.1", true},
		{"10.0.0.0/8", "11.0.0.0", false},
		{"10.0.0.0/9", "10.127.0.1", true},
		{"10.0.0.0/9", "10.128.0.1", false},
		{"0.0.0.0/0", "1.2.3.4", true},
		{"0.0.0.0/0", "::1", false},
		{"10.1.0.0/16", "10.0.0.0/8", false},
		{"2001:db8::/33", "2001:db8:7fff::", true},
		{"2001:db8::/33", "2001:db8:8000::", false},
	};
	struct network outer, inner;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_true(network_parse(rows[i].outer, &outer));
		assert_true(network_parse(rows[i].inner, &inner));
		assert_int_equal(network_contains(&outer, &inner), rows[i].within);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_a_network),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_what_is_within),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
