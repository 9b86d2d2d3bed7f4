// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "decoding.h"

#define ERRNO TEXT("{name: errno}")

static const struct decode_env nothing;

static const struct decoding rows[] = {
	{ERRNO, BYTES("1"), 0, "EPERM"},
	{ERRNO, BYTES("32"), 0, "EPIPE"},
	{ERRNO, BYTES("0"), 0, "unknown:0"},
	{ERRNO, BYTES("1000"), 0, "unknown:1000"},
	{ERRNO, BYTES("4294967296"), 0, "unknown:4294967296"},
	{ERRNO, BYTES("x"), -EINVAL, NULL},
	{ERRNO, BYTES("-1"), -EINVAL, NULL},
	{ERRNO, BYTES("99999999999999999999"), -EINVAL, NULL},
	{"[" UINT ", {name: errno}]", BYTES("\x0b\0\0\0"), 0, "EAGAIN"},
};

static void test_rows(void **state)
{
	(void)state;
	CHECK_DECODINGS(&nothing, rows);
}

/* The C library has a table of its own. */
static void test_all_as_the_c_library(void **state)
{
	unsigned known = 0;

	(void)state;
	for (int number = 0; number < 600; number++) {
		const char *name = number ? strerrorname_np(number) : NULL;
		char in[8], unknown[32];

		snprintf(in, sizeof(in), "%d", number);
		snprintf(unknown, sizeof(unknown), "unknown:%d", number);
		check_decoding(&nothing, &(struct decoding){ERRNO, in, (uint32_t)strlen(in), 0,
							    name ? name : unknown});
		known += name != NULL;
	}
	assert_true(known > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_all_as_the_c_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
