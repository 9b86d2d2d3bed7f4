// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/grid.h"

static void add_columns(struct grid *g)
{
	static const struct grid_column columns[] = {
		{.name = "source", .header = "SOURCE", .importance = 9},
		{.name = "process", .header = "PROCESS", .importance = 5},
		{.name = "bytes", .header = "BYTES", .right = true, .importance = 7},
	};

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		grid_add_column(g, &columns[i]);
}

static void add_cells(struct grid *g)
{
	static const char *const cells[] = {
		"2001:db8::aaaa:bbbb:cccc", "µ", "1.2 GB", "::1", "curl", "9 B",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cells); i++)
		grid_add(g, cells[i]);
}

static void check(size_t width, const char *expected)
{
	_cleanup_buf_ struct buf out = {0};
	struct grid g = {0};

	add_columns(&g);
	add_cells(&g);
	assert_true(grid_lay_out(&g, width));
	grid_write_header(&g, &out);
	grid_write_rows(&g, &out);
	grid_write_left_out(&g, width, &out);
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
	check(32, "SOURCE           PROCESS   BYTES\n"
		  "2001:db…bb:cccc  µ        1.2 GB\n"
		  "::1              curl        9 B\n");
}

/* The least important first; the texts have the room that it had. Nothing is wider than told. */
static void test_what_does_not_fit_is_left_out_and_named(void **state)
{
	(void)state;
	check(31, "SOURCE                    BYTES\n"
		  "2001:db8::a…a:bbbb:cccc  1.2 GB\n"
		  "::1                         9 B\n"
		  "No room for: process; --columns\n"
		  "NAME,… shows those that you\n"
		  "want, --json all\n");
	check(20, "SOURCE\n"
		  "2001:db8::…bbbb:cccc\n"
		  "::1\n"
		  "No room for:\n"
		  "process, bytes;\n"
		  "--columns NAME,…\n"
		  "shows those that you\n"
		  "want, --json all\n");
	check(9, "SOURCE\n"
		 "2001…cccc\n"
		 "::1\n"
		 "No room\n"
		 "for:\n"
		 "process,\n"
		 "bytes;\n"
		 "--columns\n"
		 "NAME,…\n"
		 "shows\n"
		 "those\n"
		 "that you\n"
		 "want,\n"
		 "--json\n"
		 "all\n");
}

/* What was written above them is in its place until one is wider than all before. */
static void test_columns_only_grow(void **state)
{
	_cleanup_buf_ struct buf out = {0};
	struct grid g = {0};

	(void)state;
	add_columns(&g);
	assert_true(grid_lay_out(&g, 0));
	add_cells(&g);
	assert_true(grid_lay_out(&g, 0));
	grid_write_rows(&g, &out);
	buf_reset(&out);
	for (size_t i = 0; i < 3; i++)
		grid_add(&g, "x");
	assert_false(grid_lay_out(&g, 0));
	grid_write_rows(&g, &out);
	assert_string_equal(buf_str(&out), "x                         x             x\n");
	assert_true(grid_lay_out(&g, 20));
	grid_free(&g);
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
		cmocka_unit_test(test_what_does_not_fit_is_left_out_and_named),
		cmocka_unit_test(test_columns_only_grow),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_terminals_are_not_commanded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
