// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/strv.h"

static void expect_items(const struct strv *v, const char *const *items, size_t count)
{
	assert_int_equal(v->count, count);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(v->items[i], items[i]);
}

static void test_split(void **state)
{
	_cleanup_strv_ struct strv v = {0};

	(void)state;
	assert_int_equal(strv_add_split(&v, " eth*, !eth9,,wg 0 , ", ','), 0);
	expect_items(&v, (const char *const[]){"eth*", "!eth9", "wg 0"}, 3);
	assert_int_equal(strv_add_split(&v, "", ','), 0);
	assert_int_equal(strv_add_split(&v, ",", ','), 0);
	assert_int_equal(strv_add_split(&v, "x", ','), 0);
	expect_items(&v, (const char *const[]){"eth*", "!eth9", "wg 0", "x"}, 4);
}

static void test_add_takes_a_part(void **state)
{
	_cleanup_strv_ struct strv v = {0};

	(void)state;
	assert_int_equal(strv_add(&v, "abcdef", 3), 0);
	assert_int_equal(strv_add(&v, "", 0), 0);
	expect_items(&v, (const char *const[]){"abc", ""}, 2);
}

static void test_has_and_add_all(void **state)
{
	_cleanup_strv_ struct strv a = {0}, b = {0};

	(void)state;
	assert_false(strv_has(&a, "x"));
	strv_add_split(&a, "x,y", ',');
	assert_int_equal(strv_add_all(&b, &a), 0);
	expect_items(&b, (const char *const[]){"x", "y"}, 2);
	assert_true(strv_has(&b, "y"));
	assert_false(strv_has(&b, "Y"));
}

static void expect_match(const char *patterns, const char *name, bool expected)
{
	_cleanup_strv_ struct strv v = {0};

	strv_add_split(&v, patterns, ',');
	assert_int_equal(strv_globs_match(&v, name), expected);
}

static void test_globs(void **state)
{
	(void)state;
	expect_match("eth0", "eth0", true);
	expect_match("eth0", "eth01", false);
	expect_match("eth*", "eth01", true);
	expect_match("eth?", "eth01", false);
	expect_match("eth[0-3],wg*", "wg0", true);
	expect_match("eth[0-3],wg*", "eth4", false);
	expect_match("*", "lo", true);
	expect_match("", "lo", false);
}

static void test_exclusions_win_wherever_they_stand(void **state)
{
	(void)state;
	expect_match("!lo,*", "lo", false);
	expect_match("*,!lo", "lo", false);
	expect_match("*,!lo", "eth0", true);
	expect_match("eth*,!eth9", "eth9", false);
	expect_match("eth*,!eth9", "wg0", false);
	expect_match("!veth*", "veth12", false);
	expect_match("!veth*", "eth0", true); /* only exclusions choose all the rest */
	expect_match("!veth*,!lo", "lo", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_add_takes_a_part),
		cmocka_unit_test(test_has_and_add_all),
		cmocka_unit_test(test_globs),
		cmocka_unit_test(test_exclusions_win_wherever_they_stand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
