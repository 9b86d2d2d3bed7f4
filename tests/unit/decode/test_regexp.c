// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "decoding.h"

static const struct decode_env nothing;

static const struct decoding rows[] = {
	{TEXT("{name: regexp, regexps: ['^bananas-are-(.+)$']}"), BYTES("bananas-are-good"), 0,
	 "good"},
	{TEXT("{name: regexp, regexps: ['bananas']}"), BYTES("my bananas\0"), 0, "bananas"},
	/* the first that matches */
	{TEXT("{name: regexp, regexps: ['^x', '^(y)', '.*']}"), BYTES("yz"), 0, "y"},
	{TEXT("{name: regexp, regexps: ['nothing', '(?i)YZ']}"), BYTES("xyz"), 0, "yz"},
	/* two groups count as no match */
	{TEXT("{name: regexp, regexps: ['(a)(b)', '(?P<one>b)']}"), BYTES("ab"), 0, "b"},
	{TEXT("{name: regexp, regexps: ['(a)(b)']}"), BYTES("ab"), DECODE_DROP, NULL},
	{TEXT("{name: regexp, regexps: ['^sshd$']}"), BYTES("cron"), DECODE_DROP, NULL},
	{TEXT("{name: regexp, regexps: ['^(x?)']}"), BYTES("y"), 0, ""},
	{"[" UINT ", {name: regexp, regexps: ['^4(.)$']}]", BYTES("\x2a"), 0, "2"},
	/* bytes as they are, cut within a character */
	{"[{name: regexp, regexps: ['a']}]", BYTES("\xff\0a"), 0, "a"},
	{"[{name: regexp, regexps: ['b']}, {name: static_map, static_map: {b: c}}]", BYTES("ab"), 0,
	 "c"},
	/* the limit of steps is an error of this entry, not "no match" */
	{TEXT("{name: regexp, regexps: ['^(a+)+$', '.*']}"),
	 BYTES("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"), -ELOOP, NULL},
};

static void test_rows(void **state)
{
	(void)state;
	CHECK_DECODINGS(&nothing, rows);
}

static const struct refusal refusals[] = {
	{4, TEXT("{name: regexp}"), "decoder 'regexp' needs 'regexps'"},
	{4, TEXT("{name: regexp, regexps: []}"), "decoder 'regexp' needs 'regexps'"},
	{4, TEXT("{name: regexp, regexps: ['a(b']}"),
	 "test.yaml:6:86: error: pattern 'a(b' is wrong at byte 3: missing closing parenthesis"},
	{4, TEXT("{name: regexp, regexps: ['ok', '\xc3\xa4[b']}"),
	 "test.yaml:6:92: error: pattern '\xc3\xa4[b' is wrong at byte 4: missing terminating ]"},
};

static void test_refusals(void **state)
{
	(void)state;
	CHECK_REFUSALS(&nothing, refusals);
}

static void test_all_wrong_patterns_are_told(void **state)
{
	struct config *c = decoding_config(4, TEXT("{name: regexp, regexps: ['(', 'a', '*']}"));
	_cleanup_report_ struct report report = {0};
	struct label_decoder d;

	(void)state;
	assert_int_equal(label_decoder_build(&d, &c->metrics.items[0].labels.items[0], &nothing,
					     &c->source, &report),
			 -EINVAL);
	assert_int_equal(report.errors, 2);
	config_free(c);
}

static void test_two_groups_are_warned_of(void **state)
{
	struct config *c = decoding_config(4, TEXT("{name: regexp, regexps: ['(a)(b)']}"));
	_cleanup_report_ struct report report = {0};
	struct label_decoder d;

	(void)state;
	assert_int_equal(label_decoder_build(&d, &c->metrics.items[0].labels.items[0], &nothing,
					     &c->source, &report),
			 0);
	assert_int_equal(report.warnings, 1);
	assert_non_null(strstr(buf_str(&report.text), "a pattern with 2 groups"));
	label_decoder_free(&d);
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_all_wrong_patterns_are_told),
		cmocka_unit_test(test_two_groups_are_warned_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
