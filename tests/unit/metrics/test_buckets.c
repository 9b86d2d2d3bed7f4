// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "metrics/buckets.h"

static void check_bounds(const struct bucket_config *config, const char *const *expected, size_t n)
{
	struct buckets b;

	assert_int_equal(buckets_init(&b, config), 0);
	assert_int_equal(b.count, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(b.le[i].len, strlen(expected[i]));
		assert_string_equal(b.le[i].text, expected[i]);
	}
	buckets_free(&b);
}

static void test_exp2(void **state)
{
	static const char *const expected[] = {"le=\"1e-06\"} ", "le=\"2e-06\"} ", "le=\"4e-06\"} ",
					       "le=\"8e-06\"} "};
	struct bucket_config c = {.type = BUCKET_EXP2, .min = 0, .max = 3, .multiplier = 1e-6};

	(void)state;
	check_bounds(&c, expected, 4);
}

/* As Go prints it, so that the series keep their identity when the exporter is exchanged. */
static void test_large_bounds_are_spelled_as_go_does(void **state)
{
	static const char *const expected[] = {"le=\"524288\"} ", "le=\"1.048576e+06\"} "};
	struct bucket_config c = {.type = BUCKET_EXP2, .min = 19, .max = 20};

	(void)state;
	check_bounds(&c, expected, 2);
}

static void test_exp2zero(void **state)
{
	static const char *const expected[] = {"le=\"0\"} ", "le=\"1\"} ", "le=\"2\"} ",
					       "le=\"4\"} "};
	struct bucket_config c = {.type = BUCKET_EXP2ZERO, .min = 0, .max = 3};

	(void)state;
	check_bounds(&c, expected, 4);
}

static void test_linear(void **state)
{
	struct bucket_config c = {.type = BUCKET_LINEAR, .min = 5, .max = 6, .multiplier = 0.1};
	struct buckets b;

	(void)state;
	/* 6 × 0.1 is not 0.6 in binary: the shortest text says so, as Go's would. */
	assert_int_equal(buckets_init(&b, &c), 0);
	assert_string_equal(b.le[0].text, "le=\"0.5\"} ");
	assert_string_equal(b.le[1].text, "le=\"0.6000000000000001\"} ");
	buckets_free(&b);
}

static void test_fixed(void **state)
{
	static const char *const expected[] = {"le=\"10\"} ", "le=\"100\"} ", "le=\"5000\"} "};
	uint64_t keys[] = {10, 100, 5000};
	struct bucket_config c = {.type = BUCKET_FIXED, .keys = {keys, 3}};
	struct buckets b;

	(void)state;
	check_bounds(&c, expected, 3);
	assert_int_equal(buckets_init(&b, &c), 0);
	assert_int_equal(buckets_index(&b, 10), 0);
	assert_int_equal(buckets_index(&b, 5000), 2);
	assert_true(buckets_index(&b, 11) == BUCKET_OUTSIDE);
	assert_true(buckets_index(&b, 5001) == BUCKET_SUM);
	assert_true(buckets_index(&b, 5002) == BUCKET_OUTSIDE);
	buckets_free(&b);
}

static void test_index(void **state)
{
	struct bucket_config c = {.type = BUCKET_EXP2, .min = 3, .max = 10};
	struct buckets b;

	(void)state;
	assert_int_equal(buckets_init(&b, &c), 0);
	assert_true(buckets_index(&b, 2) == BUCKET_OUTSIDE);
	assert_int_equal(buckets_index(&b, 3), 0);
	assert_int_equal(buckets_index(&b, 10), 7);
	assert_true(buckets_index(&b, 11) == BUCKET_SUM);
	assert_true(buckets_index(&b, UINT64_MAX) == BUCKET_OUTSIDE);
	buckets_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exp2),
		cmocka_unit_test(test_large_bounds_are_spelled_as_go_does),
		cmocka_unit_test(test_exp2zero),
		cmocka_unit_test(test_linear),
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
