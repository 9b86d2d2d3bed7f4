// SPDX-License-Identifier: MIT
/* The part in user space: what it makes of /proc/net/softnet_stat. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A module exports nothing to test it by. NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "drops.c"

static void test_columns(void **state)
{
	/* as Linux 6.12 and 4.19 have it, and cut off */
	static const struct {
		const char *line;
		size_t n;
	} rows[] = {
		{"0000c6a1 00000002 fffffff0 00000000 00000000 00000000 00000000 00000000 00000000 "
		 "00000000 00000000 00000000 0000001f 00000000 00000000\n",
		 COLUMNS},
		{"0000c6a1 00000002 fffffff0 00000000 00000000 00000000 00000000 00000000 00000000 "
		 "00000000 00000000\n",
		 11},
		{"0000c6a1 00000002", 2},
		{"\n", 0},
	};
	uint32_t columns[COLUMNS];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(split_columns(rows[i].line, columns), rows[i].n);
		if (rows[i].n > COLUMN_SQUEEZED) {
			assert_int_equal(columns[COLUMN_DROPPED], 2);
			assert_int_equal(columns[COLUMN_SQUEEZED], 0xfffffff0);
		}
		if (rows[i].n > COLUMN_CPU)
			assert_int_equal(columns[COLUMN_CPU], 0x1f);
	}
}

static void test_counters_go_on_behind_32_bits(void **state)
{
	__u64 counter = 0;

	(void)state;
	advance(&counter, 0xfffffff0);
	assert_int_equal(counter, 0xfffffff0);
	advance(&counter, 0xfffffff0);
	assert_int_equal(counter, 0xfffffff0);
	advance(&counter, 5);
	assert_int_equal(counter, 0x100000005);
	advance(&counter, 6);
	assert_int_equal(counter, 0x100000006);
}

static void test_cpus_come_in_any_order(void **state)
{
	struct drops d = {0};

	(void)state;
	softnet_of(&d, 3)->dropped = 3;
	softnet_of(&d, 0)->dropped = 1;
	softnet_of(&d, 200)->dropped = 2;
	assert_int_equal(softnet_of(&d, 0)->dropped, 1);
	assert_int_equal(softnet_of(&d, 1)->dropped, 0);
	assert_int_equal(softnet_of(&d, 3)->dropped, 3);
	assert_int_equal(d.n_softnets, 201);
	free(d.softnets);
}

static void test_a_line_that_is_none(void **state)
{
	struct drops d = {.softnet = -1};

	(void)state;
	assert_int_equal(fill_softnet_line(&d, "00000001 00000002\n", 0), -EBADMSG);
	assert_int_equal(fill_softnet_line(&d, "cpu\n", 0), -EBADMSG);
	assert_null(d.softnets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_counters_go_on_behind_32_bits),
		cmocka_unit_test(test_cpus_come_in_any_order),
		cmocka_unit_test(test_a_line_that_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
