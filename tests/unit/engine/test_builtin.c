/* SPDX-License-Identifier: MIT */
#include "engine/builtin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

BUILTIN_MODULE_ROW(zebra) = {.name = "zebra", .kind = BUILTIN_PIPELINE, .object = "elf"};
BUILTIN_MODULE_ROW(mole) = {.name = "mole", .manifest = "description: digs\n", .manifest_len = 18};
BUILTIN_MODULE_ROW(ant) = {.name = "ant"};

static void test_in_the_order_of_names(void **state)
{
	(void)state;
	assert_string_equal(builtin_at(0)->name, "ant");
	assert_string_equal(builtin_at(1)->name, "mole");
	assert_string_equal(builtin_at(2)->name, "zebra");
	assert_null(builtin_at(3));
}

static void test_for_each_visits_all(void **state)
{
	const struct builtin_module *module;
	size_t seen = 0;

	(void)state;
	builtin_for_each(module) {
		assert_ptr_equal(module, builtin_at(seen++));
	}
	assert_int_equal(seen, 3);
}

static void test_find(void **state)
{
	(void)state;
	assert_string_equal(builtin_find("mole")->manifest, "description: digs\n");
	assert_int_equal(builtin_find("zebra")->kind, BUILTIN_PIPELINE);
	assert_null(builtin_find("antelope"));
	assert_null(builtin_find(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_the_order_of_names),
		cmocka_unit_test(test_for_each_visits_all),
		cmocka_unit_test(test_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
