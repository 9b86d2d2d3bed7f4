// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "decoding.h"
#include "kernel/cgroups.h"
#include "kernel/mounts.h"

enum { PATIENCE_MS = 10000 };

#define CGROUP "[{name: string}, {name: cgroup}]"

static char top[512];

static int set_up(void **state)
{
	static struct decode_env env;
	char *mount = NULL;

	if (mounts_find("cgroup2", &mount))
		return -1;
	snprintf(top, sizeof(top), "%s/wg-decode-%d", mount, getpid());
	free(mount);
	*state = &env;
	return mkdir(top, 0755) || cgroups_new(&env.cgroups);
}

static int tear_down(void **state)
{
	const struct decode_env *env = *state;

	cgroups_free(env->cgroups);
	rmdir(top);
	return 0;
}

static uint64_t id_of_top(void)
{
	struct stat st;

	assert_int_equal(stat(top, &st), 0);
	return st.st_ino;
}

static void expect(const struct decode_env *env, uint64_t id, int result, const char *text)
{
	const struct decoding row = {"[" UINT ", {name: cgroup}]", (const char *)&id, sizeof(id),
				     result, text};

	check_decoding(env, &row);
}

static void test_paths(void **state)
{
	const struct decode_env *env = *state;
	struct pollfd wait = {.fd = cgroups_fd(env->cgroups), .events = POLLIN};
	uint64_t id = id_of_top(), generation;
	struct error e;

	/* the first use reads the tree: no call of anyone else's has */
	expect(env, id, DECODE_OK, top);
	expect(env, 123456789012345, DECODE_UNKNOWN, "unknown_cgroup_id:123456789012345");
	expect(env, 0, DECODE_UNKNOWN, "unknown_cgroup_id:0");
	generation = decode_generation(env, FOLLOWS_CGROUPS);
	assert_int_equal(rmdir(top), 0);
	while (decode_generation(env, FOLLOWS_CGROUPS) == generation) {
		assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
		assert_int_equal(cgroups_update(env->cgroups, NULL, NULL, &e), 0);
	}
	/* it may be counted still; that it is gone lets `delete_unknown` delete it */
	expect(env, id, DECODE_UNKNOWN, top);
}

static void test_text_that_is_no_id(void **state)
{
	static const struct decoding rows[] = {
		{CGROUP, BYTES("x"), -EINVAL, NULL},
		{CGROUP, BYTES(""), -EINVAL, NULL},
		{CGROUP, BYTES("99999999999999999999"), -EINVAL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct decoding row = rows[i];

		row.size = MAX(row.size, 1U);
		check_decoding(*state, &row);
	}
}

static void test_refusals(void **state)
{
	static const struct refusal rows[] = {
		{8, "[{name: cgroup}]",
		 "decoder 'cgroup' cannot be the first: it takes text, not the bytes of the key; "
		 "put before it "},
		{4, "[{name: inet_ip}, {name: cgroup}]",
		 "decoder 'cgroup' takes a decimal number, but 'inet_ip' before it gives a name"},
	};

	CHECK_REFUSALS(*state, rows);
}

/* Whether groups can be made here: not in a chroot without /sys, nor in most containers. */
static bool can_run(void)
{
	_cleanup_free_ char *mount = NULL;

	return mounts_find("cgroup2", &mount) == 0 && access(mount, W_OK) == 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_text_that_is_no_id),
		cmocka_unit_test(test_refusals),
	};

	if (!can_run()) {
		print_message("not run: there is no cgroup2 file system to write to\n");
		return 77; /* skipped, for meson */
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
