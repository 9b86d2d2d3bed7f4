// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/arguments.h"

static void test_parse(void **state)
{
	struct arguments a;
	struct error error;

	(void)state;
	assert_int_equal(arguments_parse("module=flows&x=a%20b+c%2f&x=2&&empty=&bare", &a, &error),
			 0);
	assert_int_equal(a.count, 5);
	assert_string_equal(arguments_find(&a, "module"), "flows");
	assert_string_equal(a.items[1].value, "a b c/");
	assert_string_equal(arguments_find(&a, "x"), "2");
	assert_string_equal(arguments_find(&a, "empty"), "");
	assert_string_equal(arguments_find(&a, "bare"), "");
	assert_null(arguments_find(&a, "none"));
	arguments_free(&a);
	assert_int_equal(arguments_parse(NULL, &a, &error), 0);
	assert_int_equal(a.count, 0);
	arguments_free(&a);
}

static void test_body(void **state)
{
	struct arguments a;
	struct error error;

	(void)state;
	assert_int_equal(arguments_parse_request("a=1", "b=2&c=%33", 9, &a, &error), 0);
	assert_int_equal(a.count, 3);
	assert_string_equal(arguments_find(&a, "c"), "3");
	arguments_free(&a);
	assert_int_equal(arguments_parse_request(NULL, "b=2c", 3, &a, &error), 0);
	assert_int_equal(a.count, 1);
	assert_string_equal(arguments_find(&a, "b"), "2");
	arguments_free(&a);
	assert_int_equal(arguments_parse_request(NULL, NULL, 0, &a, &error), 0);
	assert_int_equal(a.count, 0);
	arguments_free(&a);
	assert_int_equal(arguments_parse_request("a=1", "b\0c", 3, &a, &error), -EINVAL);
	arguments_free(&a);
}

static void test_what_is_no_text_is_refused(void **state)
{
	static const char *const queries[] = {"a=%", "a=%4", "a=%zz", "a=%00", "%00=1"};
	struct arguments a;
	struct error error;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
		assert_int_equal(arguments_parse(queries[i], &a, &error), -EINVAL);
		arguments_free(&a);
	}
}

static void test_too_many_are_refused(void **state)
{
	_cleanup_buf_ struct buf query = {0};
	struct arguments a;
	struct error error;

	(void)state;
	for (int i = 0; i <= ARGUMENTS_MAX; i++)
		buf_add_str(&query, "a=1&");
	assert_int_equal(arguments_parse(buf_str(&query), &a, &error), -EINVAL);
	arguments_free(&a);
}

static void test_what_is_added_is_found(void **state)
{
	static const char hard[] = "ä&=?/%+ \n\"";
	_cleanup_buf_ struct buf path = {0};
	struct arguments a;
	struct error error;

	(void)state;
	buf_add_str(&path, "/v1/x");
	argument_add(&path, "nothing", NULL);
	argument_add(&path, "a", hard);
	argument_add(&path, hard, "b");
	assert_memory_equal(buf_str(&path), "/v1/x?a=", 8);
	assert_int_equal(arguments_parse(buf_str(&path) + 6, &a, &error), 0);
	assert_int_equal(a.count, 2);
	assert_string_equal(arguments_find(&a, "a"), hard);
	assert_string_equal(arguments_find(&a, hard), "b");
	arguments_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_what_is_no_text_is_refused),
		cmocka_unit_test(test_too_many_are_refused),
		cmocka_unit_test(test_what_is_added_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
