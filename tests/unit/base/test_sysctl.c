// SPDX-License-Identifier: MIT
#include "base/sysctl.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macro.h"

static void test_correct(void **state)
{
	static const struct {
		const char *current;
		enum sysctl_rule rule;
		const char *wanted, *correct;
		bool differs;
	} rows[] = {
		{"0", SYSCTL_AT_LEAST, "1", "1", true},
		{"2", SYSCTL_AT_LEAST, "1", "2", false},
		{"3", SYSCTL_AT_MOST, "2", "2", true},
		{"-1", SYSCTL_AT_MOST, "2", "-1", false},
		{"1", SYSCTL_EXACTLY, "0", "0", true},
		{"bbr", SYSCTL_EXACTLY, "bbr", "bbr", false},
		{"cubic", SYSCTL_AT_LEAST, "bbr", "bbr", true},
		{"4096\t16384\t4194304", SYSCTL_AT_LEAST, "4096 87380 6291456",
		 "4096 87380 6291456", true},
		{"8192\t16384\t4194304", SYSCTL_AT_LEAST, "4096 87380 4194304",
		 "8192 87380 4194304", true},
		{"4096\t87380\t6291456", SYSCTL_AT_LEAST, "4096 87380 6291456",
		 "4096 87380 6291456", false},
		{"1 2", SYSCTL_AT_LEAST, "1", "1", true},
	};
	_cleanup_buf_ struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(sysctl_correct(rows[i].current, rows[i].rule, rows[i].wanted, &b),
				 rows[i].differs);
		assert_string_equal(buf_str(&b), rows[i].correct);
	}
}

static void test_same(void **state)
{
	(void)state;
	assert_true(sysctl_is_same("1\t2\t3", " 1 2  3\n"));
	assert_true(sysctl_is_same("", " "));
	assert_false(sysctl_is_same("1 2", "1 2 3"));
	assert_false(sysctl_is_same("12", "1 2"));
}

static void test_names(void **state)
{
	_cleanup_buf_ struct buf b = {0};

	(void)state;
	assert_int_equal(sysctl_read("kernel.ostype", &b), 0);
	assert_string_equal(buf_str(&b), "Linux");
	assert_int_equal(sysctl_read("kernel.no_such_parameter", &b), -ENOENT);
	assert_int_equal(sysctl_write("kernel.no_such_parameter", "1"), -ENOENT);
	assert_int_equal(sysctl_read("kernel/ostype", &b), -EINVAL);
	assert_int_equal(sysctl_read("..etc.passwd", &b), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_correct),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
