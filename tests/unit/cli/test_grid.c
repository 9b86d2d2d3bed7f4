// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/grid.h"

static void fill(struct grid *g, const char *const *cells, size_t count)
{
	g->n = 3;
	g->right[2] = true;
	for (size_t i = 0; i < count; i++)
		grid_add(g, cells[i]);
}

static const char *const cells[] = {
	"SOURCE", "PROCESS", "BYTES", "2001:db8::aaaa:bbbb:cccc", "µ", "1.2 GB",
	"::1",    "curl",    "9 B",
};

static void check(size_t width, const char *expected)
{
	_cleanup_buf_ struct buf out = {0};
	struct grid g = {0};

	fill(&g, cells, ARRAY_SIZE(cells));
	grid_render(&g, width, &out);
	assert_string_equal(buf_str(&out), expected);
	grid_free(&g);
}

static void test_columns_are_aligned(void **state)
{
	const char *expected = "SOURCE                    PROCESS   BYTES\n"
			       "2001:db8::aaaa:bbbb:cccc  µ        1.2 GB\n"
			       "::1                       curl        9 B\n";

	(void)state;
	check(0, expected);
	check(41, expected);
}

/* Both ends of an address say something. */
static void test_what_is_too_wide_is_cut_in_its_middle(void **state)
{
	(void)state;
	check(30, "SOURCE         PROCESS   BYTES\n"
		  "2001:d…b:cccc  µ        1.2 GB\n"
		  "::1            curl        9 B\n");
	/* Below this nothing is left of it. */
	check(5, "SOURCE    PROCESS   BYTES\n"
		 "2001…ccc  µ        1.2 GB\n"
		 "::1       curl        9 B\n");
}

static void test_cut(void **state)
{
	static const struct {
		const char *text;
		size_t width;
		const char *expected;
	} rows[] = {
		{"abcdef", 6, "abcdef"}, {"abcdef", 5, "ab…ef"}, {"abcdef", 1, "…"},
		{"abcdef", 0, ""},       {"äöüß€é", 4, "äö…é"},  {"", 3, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf out = {0};

		grid_add_cut(&out, rows[i].text, rows[i].width);
		assert_string_equal(buf_str(&out), rows[i].expected);
	}
}

static void test_terminals_are_not_commanded(void **state)
{
	_cleanup_buf_ struct buf out = {0};

	(void)state;
	grid_add_visible(&out, "a\x1b[2J\tb\x7f\xc2\x9b\xc2\xa0ö\n");
	assert_string_equal(buf_str(&out), "a?[2J?b??\xc2\xa0ö?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_columns_are_aligned),
		cmocka_unit_test(test_what_is_too_wide_is_cut_in_its_middle),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_terminals_are_not_commanded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
