// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/report.h"

static struct source source_of(char *text)
{
	return (struct source){.name = "timers.yaml", .text = text, .len = strlen(text)};
}

static void expect(char *text, struct place at, const char *expected)
{
	struct source s = source_of(text);
	_cleanup_report_ struct report r = {0};

	assert_int_equal(report_error(&r, &s, at, "unknown key '%s'", "tpye"), -EINVAL);
	assert_int_equal(r.errors, 1);
	assert_string_equal(buf_str(&r.text), expected);
}

static void test_marks_the_place(void **state)
{
	(void)state;
	expect("a: 1\n  tpye: x\nb: 2\n", (struct place){2, 3, 4},
	       "timers.yaml:2:3: error: unknown key 'tpye'\n"
	       "  tpye: x\n"
	       "  ^~~~\n");
	expect("tpye", (struct place){1, 1, 1},
	       "timers.yaml:1:1: error: unknown key 'tpye'\n"
	       "tpye\n"
	       "^\n");
}

static void test_the_file_as_a_whole(void **state)
{
	(void)state;
	expect("a: 1\n", (struct place){0}, "timers.yaml: error: unknown key 'tpye'\n");
}

static void test_a_source_without_text(void **state)
{
	struct source s = {.name = "gone.yaml"};
	_cleanup_report_ struct report r = {0};

	(void)state;
	report_error(&r, &s, (struct place){1, 1, 1}, "x");
	assert_string_equal(buf_str(&r.text), "gone.yaml:1:1: error: x\n");
}

static void test_tabs_stay_so_that_the_mark_lines_up(void **state)
{
	(void)state;
	expect("\ta:\ttpye\n", (struct place){1, 5, 4},
	       "timers.yaml:1:5: error: unknown key 'tpye'\n"
	       "\ta:\ttpye\n"
	       "\t  \t^~~~\n");
}

static void test_columns_are_characters(void **state)
{
	(void)state;
	expect("\xc3\xa9\xe2\x82\xac: \xc3\xa9\xc3\xa9\n", (struct place){1, 5, 2},
	       "timers.yaml:1:5: error: unknown key 'tpye'\n"
	       "\xc3\xa9\xe2\x82\xac: \xc3\xa9\xc3\xa9\n"
	       "    ^~\n");
}

static void test_nothing_from_the_file_steers_the_terminal(void **state)
{
	struct source s = source_of("a\x1b[31m\xff: 1\n");
	_cleanup_report_ struct report r = {0};

	(void)state;
	report_error(&r, &s, (struct place){1, 1, 1}, "bad '%s'", "\x1b[31m\n");
	assert_string_equal(buf_str(&r.text),
			    "timers.yaml:1:1: error: bad '\xef\xbf\xbd[31m\xef\xbf\xbd'\n"
			    "a\xef\xbf\xbd[31m\xef\xbf\xbd: 1\n"
			    "^\n");
}

static void test_mark_ends_with_the_line(void **state)
{
	(void)state;
	expect("ab\r\ncd\r\n", (struct place){1, 2, 50},
	       "timers.yaml:1:2: error: unknown key 'tpye'\n"
	       "ab\n"
	       " ^\n");
	/* Behind the line: something is missing there. */
	expect("ab\n", (struct place){1, 3, 1},
	       "timers.yaml:1:3: error: unknown key 'tpye'\n"
	       "ab\n"
	       "  ^\n");
}

static void test_places_that_are_not_there(void **state)
{
	(void)state;
	expect("ab\n", (struct place){7, 1, 1}, "timers.yaml:7:1: error: unknown key 'tpye'\n");
	expect("ab\n", (struct place){1, 4000000000, 1},
	       "timers.yaml:1:4000000000: error: unknown key 'tpye'\n"
	       "ab\n"
	       "  ^\n");
}

/* The mark stands below the marked character also when the line is shown in part. */
static void test_long_lines_are_cut_around_the_mark(void **state)
{
	enum { LEN = 1 << 20 };
	static char text[LEN + 1];
	static const uint32_t columns[] = {1, 59, 60, 61, 62, 120, 121, 5000, LEN - 1, LEN};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		struct source s;
		_cleanup_report_ struct report r = {0};
		const char *line, *caret, *found;
		size_t before;

		memset(text, '.', LEN);
		text[columns[i] - 1] = 'X';
		s = source_of(text);
		report_error(&r, &s, (struct place){1, columns[i], 1}, "x");
		line = strchr(buf_str(&r.text), '\n') + 1;
		caret = strchr(line, '\n') + 1;
		found = strchr(line, 'X');
		assert_non_null(found);
		assert_true(caret - line < 150);
		before = (size_t)(found - line);
		/* An ellipsis is one character of three bytes. */
		before -= (unsigned char)line[0] == 0xe2 ? 2 : 0;
		assert_int_equal(strspn(caret, " "), before);
		assert_string_equal(caret + before, "^\n");
	}
}

static void test_the_first_error_in_one_line(void **state)
{
	const struct source s = {.name = "a.yaml", .text = "one\ntwo\n", .len = 8};
	_cleanup_report_ struct report r = {0};

	(void)state;
	report_warning(&r, &s, (struct place){1, 1, 1}, "not this");
	assert_int_equal(r.first.len, 0);
	report_error(&r, &s, (struct place){2, 3, 1}, "this \x1b one");
	report_error(&r, &s, (struct place){1, 1, 1}, "nor this");
	assert_string_equal(buf_str(&r.first), "a.yaml:2:3: this \xef\xbf\xbd one");
}

static void test_warnings_and_leniency(void **state)
{
	struct source s = source_of("a: 1\n");
	_cleanup_report_ struct report r = {0};

	(void)state;
	assert_int_equal(report_warning(&r, &s, (struct place){0}, "careful"), 0);
	assert_int_equal(report_lenient(&r, &s, (struct place){0}, "strict"), -EINVAL);
	r.lenient = true;
	assert_int_equal(report_lenient(&r, &s, (struct place){0}, "lenient"), 0);
	assert_int_equal(r.errors, 1);
	assert_int_equal(r.warnings, 2);
	assert_string_equal(buf_str(&r.text), "timers.yaml: warning: careful\n"
					      "timers.yaml: error: strict\n"
					      "timers.yaml: warning: lenient\n");
}

static void test_a_flood_is_stemmed(void **state)
{
	struct source s = source_of("a: 1\n");
	_cleanup_report_ struct report r = {0};
	unsigned lines = 0;

	(void)state;
	for (int i = 0; i < 10 * REPORT_MOST_SHOWN; i++)
		report_error(&r, &s, (struct place){0}, "error %d", i);
	assert_int_equal(r.errors, 10 * REPORT_MOST_SHOWN);
	for (const char *c = buf_str(&r.text); *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, REPORT_MOST_SHOWN + 1);
	assert_non_null(strstr(buf_str(&r.text), "the rest is not shown"));
}

static void test_the_same_is_told_once(void **state)
{
	struct source s = source_of("a: 1\n");
	_cleanup_report_ struct report r = {0};

	(void)state;
	report_error(&r, &s, (struct place){1, 1, 1}, "x");
	report_error(&r, &s, (struct place){1, 1, 1}, "x");
	assert_string_equal(buf_str(&r.text), "timers.yaml:1:1: error: x\na: 1\n^\n");
	assert_int_equal(r.errors, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_marks_the_place),
		cmocka_unit_test(test_the_file_as_a_whole),
		cmocka_unit_test(test_a_source_without_text),
		cmocka_unit_test(test_tabs_stay_so_that_the_mark_lines_up),
		cmocka_unit_test(test_columns_are_characters),
		cmocka_unit_test(test_nothing_from_the_file_steers_the_terminal),
		cmocka_unit_test(test_mark_ends_with_the_line),
		cmocka_unit_test(test_places_that_are_not_there),
		cmocka_unit_test(test_long_lines_are_cut_around_the_mark),
		cmocka_unit_test(test_the_first_error_in_one_line),
		cmocka_unit_test(test_warnings_and_leniency),
		cmocka_unit_test(test_a_flood_is_stemmed),
		cmocka_unit_test(test_the_same_is_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
