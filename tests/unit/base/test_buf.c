// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

static void test_appends(void **state)
{
	_cleanup_buf_ struct buf b = {0};

	(void)state;
	buf_add_str(&b, "a");
	buf_add_char(&b, 'b');
	buf_add(&b, "cd", 2);
	buf_add(&b, NULL, 0);
	buf_printf(&b, "-%d-%s", 5, "x");
	assert_string_equal(buf_str(&b), "abcd-5-x");
	assert_int_equal(b.len, 8);
	assert_true(buf_ok(&b));
}

static void test_empty_is_a_string(void **state)
{
	_cleanup_buf_ struct buf b = {0};

	(void)state;
	assert_string_equal(buf_str(&b), "");
}

static void test_reset_keeps_memory(void **state)
{
	_cleanup_buf_ struct buf b = {0};
	size_t cap;

	(void)state;
	for (int i = 0; i < 1000; i++)
		buf_add_str(&b, "0123456789");
	cap = b.cap;
	buf_reset(&b);
	assert_int_equal(b.len, 0);
	assert_int_equal(b.cap, cap);
	buf_add_str(&b, "x");
	assert_string_equal(buf_str(&b), "x");
	assert_int_equal(b.cap, cap);
}

static void test_grows_with_its_content(void **state)
{
	_cleanup_buf_ struct buf b = {0};

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		buf_add_char(&b, (char)('a' + i % 26));
	assert_int_equal(b.len, 100000);
	for (unsigned i = 0; i < 100000; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
}

/* A printf that just fills the room must not lose its last character to the NUL byte. */
static void test_printf_at_the_brim(void **state)
{
	(void)state;
	for (size_t room = 1; room < 300; room++) {
		_cleanup_buf_ struct buf b = {0};

		assert_true(buf_reserve(&b, room));
		buf_printf(&b, "%0*d", (int)b.cap, 7);
		assert_int_equal(b.data[b.len - 1], '7');
	}
}

/* What comes after a failure is dropped even where it would fit: the text would have a hole. */
static void test_failure_is_remembered(void **state)
{
	_cleanup_buf_ struct buf b = {0};

	(void)state;
	buf_add_str(&b, "before");
	assert_false(buf_reserve(&b, SIZE_MAX - 2));
	assert_false(buf_ok(&b));
	buf_add_str(&b, "after");
	assert_int_equal(b.len, 6);
	assert_string_equal(buf_str(&b), "");
	buf_reset(&b);
	buf_add_str(&b, "anew");
	assert_string_equal(buf_str(&b), "anew");
}

static void test_u64(void **state)
{
	static const uint64_t numbers[] = {0,
					   1,
					   9,
					   10,
					   11,
					   99,
					   100,
					   101,
					   999,
					   1000,
					   12345,
					   4294967295,
					   4294967296,
					   9999999999999999999U,
					   10000000000000000000U,
					   UINT64_MAX};
	_cleanup_buf_ struct buf b = {0};
	char expected[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		snprintf(expected, sizeof(expected), "%llu", (unsigned long long)numbers[i]);
		buf_reset(&b);
		buf_add_u64(&b, numbers[i]);
		assert_string_equal(buf_str(&b), expected);
	}
}

/* Where a number becomes one digit longer. */
static void test_u64_lengths(void **state)
{
	_cleanup_buf_ struct buf b = {0};
	uint64_t power = 1;

	(void)state;
	for (size_t digits = 1; digits <= BUF_U64_DIGITS; digits++, power *= 10) {
		buf_reset(&b);
		buf_add_u64(&b, power);
		assert_int_equal(b.len, digits);
		buf_reset(&b);
		buf_add_u64(&b, power - 1);
		assert_int_equal(b.len, MAX(digits - 1, (size_t)1));
	}
}

/* What Go's strconv.FormatFloat(d, 'g', -1, 64) gives. */
static void test_double_is_spelled_as_in_go(void **state)
{
	static const struct {
		double d;
		const char *text;
	} rows[] = {
		{0, "0"},
		{-0.0, "-0"},
		{1, "1"},
		{-1, "-1"},
		{0.1, "0.1"},
		{0.5, "0.5"},
		{1024, "1024"},
		{0.1 + 0.2, "0.30000000000000004"},
		{123456, "123456"},
		{999999, "999999"},
		{100000, "100000"},
		{1000000, "1e+06"},
		{1234567, "1.234567e+06"},
		{1048576, "1.048576e+06"},
		{0.0001, "0.0001"},
		{0.00012345, "0.00012345"},
		{0.00001, "1e-05"},
		{1e-6, "1e-06"},
		{-2.5e-9, "-2.5e-09"},
		{3.14159265358979, "3.14159265358979"},
		{123456.789, "123456.789"},
		{1.7e9, "1.7e+09"},
		{1e21, "1e+21"},
		{1e100, "1e+100"},
		{18446744073709551616.0, "1.8446744073709552e+19"},
		{9007199254740993.0, "9.007199254740992e+15"},
		{0x1p-24, "5.960464477539063e-08"}, /* the next decimal up is the shorter one */
		{0x1p-44, "5.684341886080802e-14"},
		{0x1p-30, "9.313225746154785e-10"},
		{DBL_MAX, "1.7976931348623157e+308"},
		{DBL_MIN, "2.2250738585072014e-308"},
		{DBL_TRUE_MIN, "5e-324"},
		{INFINITY, "+Inf"},
		{-INFINITY, "-Inf"},
		{NAN, "NaN"},
	};
	_cleanup_buf_ struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		buf_reset(&b);
		buf_add_double(&b, rows[i].d);
		assert_string_equal(buf_str(&b), rows[i].text);
	}
}

static void test_double_reads_back(void **state)
{
	_cleanup_buf_ struct buf b = {0};
	uint64_t bits = 88172645463325252; /* xorshift */

	(void)state;
	for (int i = 0; i < 20000; i++) {
		double d;

		bits ^= bits << 13;
		bits ^= bits >> 7;
		bits ^= bits << 17;
		memcpy(&d, &bits, sizeof(d));
		if (!isfinite(d))
			continue;
		buf_reset(&b);
		buf_add_double(&b, d);
		assert_true(strtod(buf_str(&b), NULL) == d);
	}
}

/* The fewest digits with which the C library gives @d back, written as the C library does. */
static void add_as_c_does(struct buf *b, double d)
{
	char text[40];
	int digits = 0, exponent;

	do
		snprintf(text, sizeof(text), "%.*e", digits++, d);
	while (strtod(text, NULL) != d);
	exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
	if (exponent < -4 || exponent >= 6)
		buf_add_str(b, text);
	else
		buf_printf(b, "%.*f", MAX(digits - 1 - exponent, 0), d);
}

static void check_like_c(struct buf *b, double d)
{
	_cleanup_buf_ struct buf expected = {0};

	buf_reset(b);
	buf_add_double(b, d);
	add_as_c_does(&expected, d);
	if (!STREQ(buf_str(b), buf_str(&expected)))
		fail_msg("%.17g: %s, not %s", d, buf_str(b), buf_str(&expected));
}

/* Sums as they are, times what units are, and any numbers of that size. */
static void test_double_is_shortest(void **state)
{
	static const double units[] = {1e-9, 1e-6, 0.001, 0.1, 1.0 / (1 << 30), 8, 1.5};
	_cleanup_buf_ struct buf b = {0};
	uint64_t bits = 88172645463325252; /* xorshift */

	(void)state;
	for (int i = 0; i < 30000; i++) {
		double whole;

		bits ^= bits << 13;
		bits ^= bits >> 7;
		bits ^= bits << 17;
		whole = (double)(bits >> (1 + i % 60));
		check_like_c(&b, whole);
		check_like_c(&b, -whole * units[(size_t)i % ARRAY_SIZE(units)]);
		check_like_c(&b, whole * units[(size_t)i % ARRAY_SIZE(units)]);
		check_like_c(&b, ldexp((double)(bits >> 11), i % 70 - 68));
	}
	for (int exponent = -5; exponent < 17; exponent++) {
		double d = pow(10, exponent);

		check_like_c(&b, d);
		check_like_c(&b, nextafter(d, 0));
		check_like_c(&b, nextafter(d, 2 * d));
	}
	for (int i = 0; i < 10000; i++)
		check_like_c(&b, i / 100.0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_appends),
		cmocka_unit_test(test_empty_is_a_string),
		cmocka_unit_test(test_reset_keeps_memory),
		cmocka_unit_test(test_grows_with_its_content),
		cmocka_unit_test(test_printf_at_the_brim),
		cmocka_unit_test(test_failure_is_remembered),
		cmocka_unit_test(test_u64),
		cmocka_unit_test(test_u64_lengths),
		cmocka_unit_test(test_double_is_spelled_as_in_go),
		cmocka_unit_test(test_double_reads_back),
		cmocka_unit_test(test_double_is_shortest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
