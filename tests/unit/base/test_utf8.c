// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd"

static void test_sequences(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		size_t expected;
	} rows[] = {
		{"", 0, 0},
		{"a", 1, 1},
		{"\0", 1, 1},
		{"\x7f", 1, 1},
		{"\x80", 1, 0},     /* a tail alone */
		{"\xc2\x80", 2, 2}, /* U+0080 */
		{"\xc3\xa9"
		 "e",
		 3, 2},
		{"\xc3", 1, 0}, /* cut off */
		{"\xc3"
		 "a",
		 2, 0},
		{"\xc0\x80", 2, 0}, /* overlong NUL */
		{"\xc1\xbf", 2, 0},
		{"\xe0\x9f\xbf", 3, 0}, /* overlong */
		{"\xe0\xa0\x80", 3, 3}, /* U+0800 */
		{"\xed\x9f\xbf", 3, 3}, /* U+D7FF */
		{"\xed\xa0\x80", 3, 0}, /* a surrogate */
		{"\xee\x80\x80", 3, 3}, /* U+E000 */
		{"\xe2\x82", 2, 0},
		{"\xf0\x8f\xbf\xbf", 4, 0}, /* overlong */
		{"\xf0\x90\x80\x80", 4, 4}, /* U+10000 */
		{"\xf4\x8f\xbf\xbf", 4, 4}, /* U+10FFFF */
		{"\xf4\x90\x80\x80", 4, 0}, /* U+110000 */
		{"\xf5\x80\x80\x80", 4, 0},
		{"\xf0\x9f\x98", 3, 0},
		{"\xff", 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(utf8_sequence(rows[i].bytes, rows[i].len), rows[i].expected);
}

static void expect_valid(const char *bytes, size_t len, const char *expected)
{
	_cleanup_buf_ struct buf b = {0};

	utf8_add_valid(&b, bytes, len);
	assert_string_equal(buf_str(&b), expected);
}

static void test_each_stray_byte_is_replaced(void **state)
{
	(void)state;
	expect_valid("eth0", 4, "eth0");
	expect_valid("", 0, "");
	expect_valid("a\xff"
		     "b",
		     3, "a" REPLACEMENT "b");
	expect_valid("\xc3\xa9\xc3", 3, "\xc3\xa9" REPLACEMENT);
	expect_valid("\xed\xa0\x80", 3, REPLACEMENT REPLACEMENT REPLACEMENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sequences),
		cmocka_unit_test(test_each_stray_byte_is_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
