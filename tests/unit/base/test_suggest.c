// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macro.h"
#include "base/suggest.h"

static const char *const names[] = {"name", "type", "size", NULL, "padding", "decoders", "labels"};

static void expect(const char *word, const char *nearest)
{
	const char *got = suggest_nearest(word, names, ARRAY_SIZE(names));

	if (nearest) {
		assert_non_null(got);
		assert_string_equal(got, nearest);
	} else {
		assert_null(got);
	}
}

static void test_one_slip(void **state)
{
	(void)state;
	expect("tpye", "type");  /* neighbours swapped */
	expect("nam", "name");   /* one left out */
	expect("namee", "name"); /* one too many */
	expect("sizr", "size");  /* another one */
	expect("label", "labels");
	expect("decoder", "decoders");
	expect("decodres", "decoders");
}

static void test_itself(void **state)
{
	(void)state;
	expect("padding", "padding");
}

static void test_nothing_is_near(void **state)
{
	(void)state;
	expect("interface", NULL);
	expect("", NULL);
	expect("xy", NULL);
	assert_null(suggest_nearest("name", NULL, 0));
}

static void test_no_length_is_too_much(void **state)
{
	char word[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(word) - 1; i++)
		word[i] = 'n';
	word[sizeof(word) - 1] = '\0';
	expect(word, NULL);
	word[63] = '\0';
	expect(word, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_slip),
		cmocka_unit_test(test_itself),
		cmocka_unit_test(test_nothing_is_near),
		cmocka_unit_test(test_no_length_is_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
