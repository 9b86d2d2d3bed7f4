// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/regex.h"

struct row {
	const char *pattern;
	const char *text;
	size_t len; /* 0: strlen(text) */
	unsigned group;
	const char *match; /* NULL: does not match */
};

static const struct row rows[] = {
	{"b+", "abbbc", 0, 0, "bbb"},
	{"b+", "ac", 0, 0, NULL},
	{"", "", 0, 0, ""},
	{"^a(b*)c$", "abbc", 0, 1, "bb"},
	{"^a(b*)c$", "abbc\n", 0, 0, NULL}, /* '$' is the very end */
	{"(a)|(b)", "b", 0, 1, ""},         /* a group without part in the match */
	/* What RE2 has as well */
	{"(?P<id>[0-9a-f]{12})", "docker-0123456789abcdef", 0, 1, "0123456789ab"},
	{"(?i)SSHD", "sshd", 0, 0, "sshd"},
	{"end\\z", "the end", 0, 0, "end"},
	{"\\pL+", "12\xc3\xa4\xc3\xb6", 0, 0, "\xc3\xa4\xc3\xb6"},
	{"[[:digit:]]+", "a42", 0, 0, "42"},
	{"^(?:a|ab)(c|bcd)$", "abcd", 0, 1, "bcd"},
	{"a.c", "a\nc", 0, 0, NULL},
	{"(?s)a.c", "a\nc", 0, 0, "a\nc"},
	{"(?m)^b$", "a\nb\nc", 0, 0, "b"},
	{"a.c", "a\rc", 0, 0, "a\rc"},                 /* only \n ends a line */
	{"^.$", "\xe2\x82\xac", 0, 0, "\xe2\x82\xac"}, /* a character, not a byte */
	/* Any bytes may be in a map key */
	{"b",
	 "a\xff\xfe"
	 "b",
	 0, 0, "b"},
	{"c$", "a\0b\0c", 5, 0, "c"},
	{"a.b",
	 "a\xff"
	 "b",
	 0, 0, NULL}, /* what is no character matches no '.' */
	{"x\\K", "x", 0, 0, ""},
};

static void test_matches(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		size_t at = 0, len = row->len ? row->len : strlen(row->text);
		struct regex_span span = {77, 77};
		struct regex *r;
		struct error e;
		int n;

		if (regex_compile(row->pattern, &r, &at, &e))
			fail_msg("%s: %s", row->pattern, e.text);
		n = regex_match(r, row->text, len, row->group, &span);
		if (n != (row->match != NULL))
			fail_msg("%s on %s: %d", row->pattern, row->text, n);
		if (row->match) {
			assert_int_equal(span.len, strlen(row->match));
			assert_memory_equal(row->text + span.at, row->match, span.len);
		} else {
			assert_int_equal(span.at, 77);
		}
		regex_free(r);
	}
}

static void test_groups_are_counted(void **state)
{
	static const struct {
		const char *pattern;
		unsigned groups;
	} counts[] = {{"a", 0}, {"(?:a)", 0}, {"(a)", 1}, {"(?P<x>a)(b)", 2}, {"((a))", 2}};

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct regex *r;
		size_t at;

		assert_int_equal(regex_compile(counts[i].pattern, &r, &at, NULL), 0);
		assert_int_equal(regex_groups(r), counts[i].groups);
		regex_free(r);
	}
}

static void test_wrong_patterns_say_where(void **state)
{
	static const struct {
		const char *pattern;
		size_t at;
		const char *says;
	} wrong[] = {
		{"ab(c", 4, "missing closing parenthesis"},
		{"[a-", 3, "missing terminating ]"},
		{"a**b", 2, "quantifier does not follow"},
		{"*a", 0, "quantifier does not follow"},
		{"a\\C", 3, "\\C is disabled"},
		{"x{2,1}", 5, "numbers out of order"},
		{"\\", 1, "\\ at end of pattern"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct regex *r = NULL;
		struct error e = {0};
		size_t at = 99;

		if (regex_compile(wrong[i].pattern, &r, &at, &e) != -EINVAL)
			fail_msg("'%s' was taken", wrong[i].pattern);
		assert_null(r);
		assert_true(at <= strlen(wrong[i].pattern));
		if (!wrong[i].says)
			continue;
		if (!strstr(e.text, wrong[i].says))
			fail_msg("'%s': %s", wrong[i].pattern, e.text);
		if (at != wrong[i].at)
			fail_msg("'%s': at %zu", wrong[i].pattern, at);
	}
}

/* Without a limit each of these takes longer than anyone lives. */
static void test_time_is_bounded(void **state)
{
	static const char *const patterns[] = {"^(a+)+$", "^(a|a)*$", "(.*)*b\\z", "^((a*)*)*$"};
	char text[4096];

	(void)state;
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '!';
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		struct regex_span span;
		struct regex *r;
		size_t at;

		assert_int_equal(regex_compile(patterns[i], &r, &at, NULL), 0);
		assert_true(regex_match(r, text, sizeof(text), 0, &span) <= 0);
		regex_free(r);
	}
}

static void test_the_limit_is_an_error_not_a_mismatch(void **state)
{
	char text[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!";
	struct regex_span span;
	struct regex *r;
	size_t at;

	(void)state;
	assert_int_equal(regex_compile("^(a+)+$", &r, &at, NULL), 0);
	assert_int_equal(regex_match(r, text, strlen(text), 0, &span), -ELOOP);
	/* and the next text is none the worse for it */
	assert_int_equal(regex_match(r, "aaa", 3, 0, &span), 1);
	regex_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_groups_are_counted),
		cmocka_unit_test(test_wrong_patterns_say_where),
		cmocka_unit_test(test_time_is_bounded),
		cmocka_unit_test(test_the_limit_is_an_error_not_a_mismatch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
