// SPDX-License-Identifier: MIT
#include <math.h>
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
		assert_int_equal(b.bounds[i].len, strlen(expected[i]));
		assert_string_equal(b.bounds[i].text, expected[i]);
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
	assert_string_equal(b.bounds[0].text, "le=\"0.5\"} ");
	assert_string_equal(b.bounds[1].text, "le=\"0.6000000000000001\"} ");
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

/* One classic bucket an octave: each is what lies between two powers of two. */
static void test_native(void **state)
{
	static const char *const expected[] = {"le=\"0\"} ", "le=\"1\"} ", "le=\"2\"} ",
					       "le=\"4\"} "};
	static const uint32_t ends[] = {1, 2, 6, 10};
	struct bucket_config c = {.type = BUCKET_NATIVE, .schema = 2, .max = 9};
	struct buckets b;

	(void)state;
	assert_int_equal(buckets_init(&b, &c), 0);
	assert_int_equal(b.count, 10);
	assert_int_equal(b.n_bounds, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(b.bounds[i].text, expected[i]);
		assert_int_equal(b.bounds[i].end, ends[i]);
	}
	assert_true(b.native);
	assert_int_equal(b.schema, 2);
	assert_int_equal(b.first_index, 0);
	assert_true(b.zero_threshold == 0);
	assert_int_equal(buckets_index(&b, 9), 9);
	assert_true(buckets_index(&b, 10) == BUCKET_SUM);
	buckets_free(&b);
}

/* Units of 2^-30 s are what is 30 octaves lower in seconds; a part of an octave at both ends. */
static void test_native_in_seconds(void **state)
{
	struct bucket_config c = {.type = BUCKET_NATIVE,
				  .schema = 3,
				  .min = 20,
				  .max = 20 + 30,
				  .multiplier = ldexp(1, -30)};
	struct buckets b;

	(void)state;
	assert_int_equal(buckets_init(&b, &c), 0);
	/* Key 20 is 2^(19/8) units and all below it; key 50 is 2^(49/8), in the octave to 2^7. */
	assert_true(b.zero_threshold == ldexp(exp2(3.0 / 8), 2 - 30));
	assert_int_equal(b.first_index, 20 - 8 * 30);
	assert_int_equal(b.n_bounds, 5);
	assert_true(b.bounds[0].value == ldexp(1, 3 - 30));
	assert_int_equal(b.bounds[0].end, 25 - 20 + 1);
	assert_true(b.bounds[4].value == ldexp(1, 7 - 30));
	assert_int_equal(b.bounds[4].end, b.count);
	buckets_free(&b);
}

static void test_native_with_finer_classic_buckets(void **state)
{
	static const char *const expected[] = {"le=\"1\"} ", "le=\"1.189207115002721\"} ",
					       "le=\"1.4142135623730951\"} ",
					       "le=\"1.681792830507429\"} ", "le=\"2\"} "};
	struct bucket_config c = {
		.type = BUCKET_NATIVE, .schema = 5, .classic_schema = 2, .min = 1, .max = 1 + 32};
	struct buckets b;

	(void)state;
	assert_int_equal(buckets_init(&b, &c), 0);
	assert_int_equal(b.n_bounds, 5);
	for (uint32_t i = 0; i < 5; i++) {
		assert_string_equal(b.bounds[i].text, expected[i]);
		assert_int_equal(b.bounds[i].end, 1 + 8 * i);
	}
	buckets_free(&b);
}

/* Each bucket is counted in just one bound, whatever the schemas and the range. */
static void test_native_bounds_cover_all_buckets(void **state)
{
	(void)state;
	for (uint32_t schema = 0; schema <= NATIVE_SCHEMA_MAX; schema++) {
		uint32_t last = (64U << schema) + 1;
		struct bucket_config c = {.type = BUCKET_NATIVE, .schema = schema, .max = last};
		struct buckets b;

		for (c.min = 0; c.min <= last; c.min += 1 + c.min / 3) {
			assert_int_equal(buckets_init(&b, &c), 0);
			assert_int_equal(b.bounds[b.n_bounds - 1].end, b.count);
			assert_true(b.bounds[b.n_bounds - 1].value == ldexp(1, 64));
			for (uint32_t i = 1; i < b.n_bounds; i++) {
				assert_true(b.bounds[i].end > b.bounds[i - 1].end);
				assert_true(b.bounds[i].value > b.bounds[i - 1].value);
			}
			buckets_free(&b);
		}
	}
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
		cmocka_unit_test(test_native),
		cmocka_unit_test(test_native_in_seconds),
		cmocka_unit_test(test_native_with_finer_classic_buckets),
		cmocka_unit_test(test_native_bounds_cover_all_buckets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
