// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "host/finding.h"

static void test_a_new_one_is_well_and_says_nothing(void **state)
{
	struct findings f = {0};
	const struct finding *one = findings_add(&f, FINDING_KERNEL, "kernel.btf", "BTF");

	(void)state;
	assert_int_equal(f.count, 1);
	assert_int_equal(one->state, FINDING_OK);
	assert_string_equal(one->text, "");
	assert_null(one->advice);
	assert_false(one->needed || f.failed);
	findings_free(&f);
	assert_int_equal(f.count, 0);
}

static void test_what_is_said_last_counts(void **state)
{
	struct findings f = {0};
	struct finding *one = findings_add(&f, FINDING_KERNEL, "a", "a");

	(void)state;
	finding_set(one, FINDING_MISSING, "no %s", "way");
	finding_set(one, FINDING_DEGRADED, "was: %s", one->text);
	finding_advise(one, "do %d", 1);
	finding_advise(one, "do %d", 2);
	assert_int_equal(one->state, FINDING_DEGRADED);
	assert_string_equal(one->text, "was: no way");
	assert_string_equal(one->advice, "do 2");
	findings_free(&f);
}

static void test_order(void **state)
{
	static const struct {
		enum finding_group group;
		unsigned rank;
		const char *name;
	} rows[] = {{FINDING_MODULES, 0, "f"}, {FINDING_KERNEL, 2, "c"},
		    {FINDING_KERNEL, 1, "a"},  {FINDING_KERNEL, 2, "d"},
		    {FINDING_KERNEL, 1, "b"},  {FINDING_PRIVILEGES, 9, "e"}};
	struct findings f = {0};
	char names[ARRAY_SIZE(rows) + 1] = "";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		findings_add(&f, rows[i].group, rows[i].name, rows[i].name)->rank = rows[i].rank;
	findings_sort(&f);
	for (size_t i = 0; i < f.count; i++)
		names[i] = f.items[i]->name[0];
	assert_string_equal(names, "abcdef");
	findings_free(&f);
}

static void test_each_state_and_group_has_a_name(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FINDING_STATES; i++)
		assert_non_null(finding_state_name((enum finding_state)i));
	for (unsigned i = 0; i < FINDING_GROUPS; i++)
		assert_non_null(finding_group_name((enum finding_group)i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_new_one_is_well_and_says_nothing),
		cmocka_unit_test(test_what_is_said_last_counts),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_each_state_and_group_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
