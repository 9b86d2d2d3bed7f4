// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/vfs.h>

#include "kernel/mounts.h"

#define CGROUP(root, point) "35 25 0:30 " root " " point " rw,nosuid shared:9 - cgroup2 cgroup rw\n"

static void check(const char *text, const char *type, int result, const char *point)
{
	char *got = NULL;

	assert_int_equal(mounts_find_in(text, type, &got), result);
	if (point)
		assert_string_equal(got, point);
	else
		assert_null(got);
	free(got);
}

static void test_lines(void **state)
{
	(void)state;
	check("", "cgroup2", -ENOENT, NULL);
	check(CGROUP("/", "/sys/fs/cgroup"), "cgroup2", 0, "/sys/fs/cgroup");
	check(CGROUP("/", "/sys/fs/cgroup"), "cgroup", -ENOENT, NULL);
	/* no optional fields, several of them, one that looks like the separator's neighbour */
	check("1 0 0:1 / /a rw - tracefs t rw\n", "tracefs", 0, "/a");
	check("1 0 0:1 / /a rw shared:1 master:2 - tracefs t rw\n", "tracefs", 0, "/a");
	/* not the last line, no line break at the end */
	check("1 0 0:1 / / rw - ext4 /dev/sda rw\n2 1 0:2 / /t rw - tracefs t rw", "tracefs", 0,
	      "/t");
	check("1 0 0:1 / /with\\040blank\\134 rw - tracefs t rw\n", "tracefs", 0, "/with blank\\");
	/* rubbish */
	check("\n\nx\n1 2 3\n", "tracefs", -ENOENT, NULL);
}

static void test_the_whole_is_preferred(void **state)
{
	(void)state;
	check(CGROUP("/part", "/a") CGROUP("/", "/b") CGROUP("/", "/c"), "cgroup2", 0, "/b");
	check(CGROUP("/part", "/a") CGROUP("/other", "/b"), "cgroup2", 0, "/a");
	/* in a container that was given the host's beside its own */
	check(CGROUP("/", "/a") CGROUP("/../../..", "/host/a"), "cgroup2", 0, "/host/a");
}

/* statfs(2) says the same of the place. */
static void test_this_host(void **state)
{
	struct statfs fs;
	char *point = NULL;

	(void)state;
	assert_int_equal(mounts_find("proc", &point), 0);
	assert_int_equal(statfs(point, &fs), 0);
	assert_int_equal(fs.f_type, 0x9fa0); /* PROC_SUPER_MAGIC */
	free(point);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_the_whole_is_preferred),
		cmocka_unit_test(test_this_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
