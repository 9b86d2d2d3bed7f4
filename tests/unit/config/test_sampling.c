// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macro.h"
#include "config/sampling.h"

static void test_what_it_takes(void **state)
{
	static const struct {
		const char *text;
		int kind;
		double share;
	} rows[] = {
		{"off", SAMPLING_OFF, 0},          {"always", SAMPLING_ALWAYS, 1},
		{"100%", SAMPLING_ALWAYS, 1},      {"2%", SAMPLING_SLICES, 0.02},
		{"0.5%", SAMPLING_SLICES, 0.005},  {"0.001%", SAMPLING_SLICES, 0.00001},
		{"99.9%", SAMPLING_SLICES, 0.999},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sampling s = {0};

		assert_true(sampling_parse(rows[i].text, &s));
		assert_int_equal(s.kind, rows[i].kind);
		assert_float_equal(s.share, rows[i].share, 1e-12);
	}
}

static void test_what_it_refuses(void **state)
{
	static const char *const texts[] = {
		"",     "on",  "true", "2",    "%",      "2 %",  "-2%", "+2%",     "0%",
		"101%", "2%%", "1e1%", "nan%", "1.2.3%", "0x2%", "Off", "0.0009%", "2%always",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct sampling s = {.share = 7};

		assert_false(sampling_parse(texts[i], &s));
		assert_true(s.share == 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_it_takes),
		cmocka_unit_test(test_what_it_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
