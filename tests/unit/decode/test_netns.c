// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "decode/hostnames.h"
#include "decoding.h"

/* As `ip netns add` makes them: in a mount namespace of the test's own. */
static int set_up(void **state)
{
	static struct decode_env env;

	*state = &env;
	/* In a chroot, the root need not be a mount, and /run may be one. */
	if (unshare(CLONE_NEWNS) || (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
				     mount(NULL, "/run", NULL, MS_PRIVATE, NULL))) {
		print_message("not run: needs root\n");
		return -1;
	}
	if (mount("none", "/run", "tmpfs", 0, NULL))
		return -1;
	return hostnames_new(NULL, &env.host);
}

static int tear_down(void **state)
{
	hostnames_free(((struct decode_env *)*state)->host);
	return 0;
}

/* Not everyone, not even root in a container, may know that of process 1. */
static const char *host_namespace(void)
{
	struct stat st;

	return stat("/proc/1/ns/net", &st) ? "/proc/self/ns/net" : "/proc/1/ns/net";
}

static uint64_t inode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

static void make_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CREAT | O_EXCL, 0);

	assert_true(fd >= 0);
	close(fd);
}

static void expect(const struct decode_env *env, uint64_t inode, const char *name)
{
	uint32_t key = (uint32_t)inode;
	char unknown[32];

	snprintf(unknown, sizeof(unknown), "unknown:%u", key);
	check_decoding(env, &(struct decoding){"[" UINT ", {name: netns}]", (const char *)&key,
					       sizeof(key), name ? DECODE_OK : DECODE_UNKNOWN,
					       name ? name : unknown});
}

/* A new namespace, mounted on @path; gives its number. */
static uint64_t put_namespace(const char *path)
{
	int before = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	uint64_t inode;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	inode = inode_of("/proc/self/ns/net");
	assert_int_equal(mount("/proc/self/ns/net", path, "none", MS_BIND, NULL), 0);
	assert_int_equal(setns(before, CLONE_NEWNET), 0);
	close(before);
	return inode;
}

static void test_names(void **state)
{
	const struct decode_env *env = *state;
	uint64_t host = inode_of(host_namespace()), blue, green, generation;

	expect(env, host, "host");
	expect(env, 12345, NULL);
	generation = decode_generation(env, FOLLOWS_NETNS);
	assert_true(decode_generation(env, FOLLOWS_NETNS) == generation);
	/* the first ever, so that the directory is new as well */
	assert_int_equal(mkdir("/run/netns", 0755), 0);
	make_file("/run/netns/blue");
	blue = put_namespace("/run/netns/blue");
	expect(env, blue, "blue");
	assert_true(decode_generation(env, FOLLOWS_NETNS) != generation);
	assert_int_equal(mkdir("/run/docker", 0755), 0);
	assert_int_equal(mkdir("/run/docker/netns", 0755), 0);
	make_file("/run/docker/netns/0123abcd");
	green = put_namespace("/run/docker/netns/0123abcd");
	expect(env, green, "0123abcd");
	expect(env, blue, "blue");
	/* `ip netns delete` */
	generation = decode_generation(env, FOLLOWS_NETNS);
	assert_int_equal(umount2("/run/netns/blue", MNT_DETACH), 0);
	assert_int_equal(unlink("/run/netns/blue"), 0);
	assert_true(decode_generation(env, FOLLOWS_NETNS) != generation);
	expect(env, blue, NULL);
	expect(env, host, "host");
}

/* A name that somebody gave the host's own namespace goes first. */
static void test_a_name_for_the_host(void **state)
{
	const struct decode_env *env = *state;

	make_file("/run/netns/mine");
	assert_int_equal(mount(host_namespace(), "/run/netns/mine", "none", MS_BIND, NULL), 0);
	expect(env, inode_of(host_namespace()), "mine");
}

/* The file is there a moment before the namespace is. */
static void test_a_file_before_its_namespace(void **state)
{
	const struct decode_env *env = *state;
	uint64_t red, generation, deadline;

	make_file("/run/netns/red");
	expect(env, 12345, NULL); /* reads it */
	generation = decode_generation(env, FOLLOWS_NETNS);
	red = put_namespace("/run/netns/red");
	deadline = clock_monotonic_ns() + 20 * NSEC_PER_SEC;
	while (decode_generation(env, FOLLOWS_NETNS) == generation) {
		assert_true(clock_monotonic_ns() < deadline);
		usleep(10000);
	}
	expect(env, red, "red");
}

static void test_text_that_is_no_number(void **state)
{
	static const struct decoding rows[] = {
		{TEXT("{name: netns}"), BYTES("x"), -EINVAL, NULL},
		{TEXT("{name: netns}"), BYTES("\0"), -EINVAL, NULL},
	};

	CHECK_DECODINGS(*state, rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_a_name_for_the_host),
		cmocka_unit_test(test_a_file_before_its_namespace),
		cmocka_unit_test(test_text_that_is_no_number),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
