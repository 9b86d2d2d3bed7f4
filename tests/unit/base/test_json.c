// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>

#include "base/json.h"

static void expect(const char *text, const char *json)
{
	_cleanup_buf_ struct buf b = {0};

	json_add_string(&b, text);
	assert_string_equal(buf_str(&b), json);
}

static void test_strings(void **state)
{
	(void)state;
	expect("", "\"\"");
	expect("eth0", "\"eth0\"");
	expect("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
	expect("one\ntwo", "\"one\\ntwo\"");
	expect("\t\r\x01\x1f\x7f", "\"\\u0009\\u000d\\u0001\\u001f\x7f\"");
	expect("\xc3\xa9", "\"\xc3\xa9\"");
	expect("a\xff", "\"a\xef\xbf\xbd\"");
}

/* Whatever bytes come, another reader of JSON takes the result. */
static void test_any_byte_is_read_by_jansson(void **state)
{
	(void)state;
	for (int c = 1; c < 256; c++) {
		char text[] = {'x', (char)c, 'y', '\0'};
		_cleanup_buf_ struct buf b = {0};
		json_t *value;

		json_add_string(&b, text);
		value = json_loadb(b.data, b.len, JSON_DECODE_ANY, NULL);
		assert_non_null(value);
		if (c < 0x80)
			assert_string_equal(json_string_value(value), text);
		json_decref(value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_any_byte_is_read_by_jansson),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
