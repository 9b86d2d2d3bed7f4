// SPDX-License-Identifier: MIT
#include "kernel/inode_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_the_first_of_a_number_is_found(void **state)
{
	struct inode_names l = {0};

	(void)state;
	inode_names_add(&l, 7, strdup("a"));
	inode_names_add(&l, 7, strdup("b"));
	inode_names_add(&l, 8, NULL);
	assert_string_equal(inode_names_find(&l, 7), "a");
	assert_null(inode_names_find(&l, 8));
	inode_names_free(&l);
	assert_null(inode_names_find(&l, 7));
}

static void renew(struct inode_names *l, const char *text, bool differs)
{
	struct inode_names fresh = {0};

	if (text)
		inode_names_add(&fresh, 7, strdup(text));
	assert_int_equal(inode_names_renew(l, &fresh), differs);
	assert_int_equal(fresh.count, 0);
}

static void test_a_list_that_differs_is_told(void **state)
{
	struct inode_names l = {0};

	(void)state;
	renew(&l, NULL, false);
	renew(&l, "a", true);
	renew(&l, "a", false);
	renew(&l, "b", true);
	assert_string_equal(inode_names_find(&l, 7), "b");
	renew(&l, NULL, true);
	inode_names_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_of_a_number_is_found),
		cmocka_unit_test(test_a_list_that_differs_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
