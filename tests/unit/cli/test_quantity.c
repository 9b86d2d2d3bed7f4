// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/macro.h"
#include "cli/quantity.h"

static void test_rows(void **state)
{
	static const struct {
		double number;
		const char *unit;
		bool rate;
		const char *text;
	} rows[] = {
		{0, "bytes", false, "0 B"},
		{999, "bytes", false, "999 B"},
		{1000, "bytes", false, "1.00 kB"},
		{999499, "bytes", false, "999 kB"},
		{999500, "bytes", false, "1.00 MB"},
		{1.234e9, "bytes", false, "1.23 GB"},
		{1.8e19, "bytes", false, "18.0 EB"},
		{12345, "bytes", true, "12.3 kB/s"},
		{0, "bytes", true, "0 B/s"},
		{0.25, "packets", true, "0.25 pps"},
		{12345, "packets", true, "12.3 kpps"},
		{9999, "packets", false, "9999"},
		{10000, "count", false, "10.0 k"},
		{1234567, "count", false, "1.23 M"},
		{2, "count", true, "2.00 /s"},
		{65535, "none", false, "65535"},
		{0.5, "none", false, "0.5"},
		{NAN, "bytes", false, "-"},
		{INFINITY, "count", true, "-"},
		{0.0034, "seconds", false, "3.40 ms"},
		{3, "age", false, "3.00 s"},
		{5, "no such unit", false, "5"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(
			quantity_format(rows[i].number, rows[i].unit, rows[i].rate).text,
			rows[i].text);
}

static void test_seconds(void **state)
{
	static const struct {
		double seconds;
		const char *text;
	} rows[] = {
		{0, "0 s"},
		{1e-9, "1.00 ns"},
		{9.54e-7, "954 ns"},
		{9.996e-7, "1.00 µs"},
		{0.0123, "12.3 ms"},
		{0.9996, "1.00 s"},
		{59.9, "59.9 s"},
		{60, "1m00s"},
		{3599, "59m59s"},
		{3720, "1h02m"},
		{86400 * 3 + 4 * 3600, "3d04h"},
		{1e300, "11574074074d01h"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(quantity_seconds(rows[i].seconds).text, rows[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
