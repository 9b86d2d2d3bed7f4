// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "decoding.h"

#define DNAME  "[{name: dname}]"
#define STRING "[{name: string}, {name: dname}]"

static const struct decode_env nothing;

static const struct decoding rows[] = {
	{DNAME, BYTES("\7example\3com\0"), 0, "example.com."},
	/* a key has room for longer names: what is behind the root is not the name's */
	{DNAME, BYTES("\7example\3com\0\0\0\0"), 0, "example.com."},
	{DNAME, BYTES("\7example\3com\0\3old"), 0, "example.com."},
	{STRING, BYTES("\7example\3com\0\0\0"), 0, "example.com"},
	{DNAME, BYTES("\7example\3com"), 0, "example.com"},
	{DNAME, BYTES("\3com"), 0, "com"},
	/* the root */
	{DNAME, BYTES("\0"), 0, "."},
	{DNAME, BYTES("\0\0\0"), 0, "."},
	{STRING, BYTES("\0\0"), 0, "."},
	/* malformed: passed on */
	{STRING, BYTES("\5com\0"), 0, "\5com"},
	{DNAME, BYTES("\3com\7exam"), 0, "\3com\7exam"},
	{DNAME, BYTES("\3com\5"), 0, "\3com\5"},
	/* a pointer into a message, RFC 1035, 4.1.4; the bytes are no UTF-8 */
	{DNAME, BYTES("\3com\xc0\x0c"), 0, "\3com\xef\xbf\xbd\x0c"},
	/* labels are bytes: a dot in one, and what is no UTF-8 */
	{DNAME, BYTES("\3a.b\1\xff\0"), 0, "a.b.\xef\xbf\xbd."},
};

static void test_rows(void **state)
{
	(void)state;
	CHECK_DECODINGS(&nothing, rows);
}

/* 63 bytes are the most, 64 would be a kind of label that nobody uses. */
static void test_longest_label(void **state)
{
	char name[67], text[66];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[0] = 63;
	name[64] = '\0';
	memset(text, 'a', 63);
	memcpy(text + 63, ".", 2);
	check_decoding(&nothing, &(struct decoding){DNAME, name, 65, 0, text});
	name[0] = 64;
	name[64] = 'a';
	name[65] = '\0';
	check_decoding(&nothing, &(struct decoding){DNAME, name, 65, 0, name});
}

static void test_refusals(void **state)
{
	static const struct refusal refused[] = {
		{4, "[" UINT ", {name: dname}]", "'uint' before it gives a decimal number"},
	};

	(void)state;
	CHECK_REFUSALS(&nothing, refused);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_longest_label),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
