// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "decoding.h"

#define NAME "[{name: dns_name}]"

static const struct decode_env nothing;

static const struct decoding rows[] = {
	{NAME, BYTES("\7example\3com\0"), 0, "example.com"},
	/* what is behind the root is not the name's */
	{NAME, BYTES("\7example\3com\0\3old"), 0, "example.com"},
	{NAME, BYTES("\3com"), 0, "com"},
	{NAME, BYTES("\0\0\0"), 0, "."},
	/* RFC 4343, 2.1 and 2.2 */
	{NAME, BYTES("\3a.b\3c\\d\0"), 0, "a\\.b.c\\\\d"},
	{NAME, BYTES("\6 \x1b\0\x7e\x7f\xff\0"), 0, "\\032\\027\\000~\\127\\255"},
	/* malformed, and pointers */
	{NAME, BYTES("\3com\7exam"), 0, "\\003com\\007exam"},
	{NAME, BYTES("\xc0\x0c"), 0, "\\192\\012"},
	{NAME, BYTES("\3"), 0, "\\003"},
};

static void test_rows(void **state)
{
	(void)state;
	CHECK_DECODINGS(&nothing, rows);
}

/* A byte may become four, and a name has 255. */
static void test_longest(void **state)
{
	char name[256], text[4 * 254], *end = text;

	(void)state;
	memset(name, 0, sizeof(name));
	for (size_t at = 0; at < 254; at++) {
		if (at % 64 == 0)
			name[at] = at == 192 ? 61 : 63;
		if (at % 64 == 0 && at > 0)
			*end++ = '.';
		if (at % 64 > 0)
			end = stpcpy(end, "\\000");
	}
	check_decoding(&nothing, &(struct decoding){NAME, name, 255, 0, text});
}

static void test_refusals(void **state)
{
	static const struct refusal refused[] = {
		{4, "[" UINT ", {name: dns_name}]", "'uint' before it gives a decimal number"},
	};

	(void)state;
	CHECK_REFUSALS(&nothing, refused);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
