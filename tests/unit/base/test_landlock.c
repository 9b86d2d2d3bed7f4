// SPDX-License-Identifier: MIT
#include "base/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/cleanup.h"

/* root/read/file, root/write/file, root/other/file */
struct tree {
	char root[32];
};

static void path_of(const struct tree *t, const char *name, char to[static 128])
{
	snprintf(to, 128, "%s/%s", t->root, name);
}

static void make_tree(struct tree *t)
{
	static const char *const folders[] = {"read", "write", "other"};

	snprintf(t->root, sizeof(t->root), "/tmp/landlock-XXXXXX");
	assert_non_null(mkdtemp(t->root));
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		char path[128];
		int fd;

		path_of(t, folders[i], path);
		assert_int_equal(mkdir(path, 0700), 0);
		snprintf(path, sizeof(path), "%s/%s/file", t->root, folders[i]);
		fd = open(path, O_CREAT | O_WRONLY, 0600);
		assert_true(fd >= 0);
		close(fd);
	}
}

static void remove_tree(const struct tree *t)
{
	static const char *const names[] = {"read/file", "write/file", "write/new", "other/file",
					    "read",      "write",      "other",     ""};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[128];

		path_of(t, names[i], path);
		remove(path);
	}
}

static int try_open(const struct tree *t, const char *name, int flags)
{
	char path[128];
	int fd;

	path_of(t, name, path);
	fd = open(path, flags, 0600);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int try_to_connect(void)
{
	const struct sockaddr_in nowhere = {.sin_family = AF_INET,
					    .sin_port = htons(1),
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return connect(fd, (const struct sockaddr *)&nowhere, sizeof(nowhere)) ? -errno : 0;
}

/* What the confined child found wrong: the number of its line, 0 for nothing. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return __LINE__ % 256;                                                     \
	} while (0)

static int check_confined(const struct tree *t, int before)
{
	char byte;

	CHECK(try_open(t, "read/file", O_RDONLY) == 0);
	CHECK(try_open(t, "read", O_RDONLY | O_DIRECTORY) == 0);
	CHECK(try_open(t, "read/file", O_WRONLY) == -EACCES);
	CHECK(try_open(t, "read/new", O_WRONLY | O_CREAT) == -EACCES);
	CHECK(try_open(t, "write/file", O_RDWR) == 0);
	CHECK(try_open(t, "write/new", O_WRONLY | O_CREAT) == 0);
	CHECK(try_open(t, "other/file", O_RDONLY) == -EACCES);
	CHECK(try_open(t, "other", O_RDONLY | O_DIRECTORY) == -EACCES);
	CHECK(try_open(t, "", O_RDONLY | O_DIRECTORY) == -EACCES);
	CHECK(read(before, &byte, 1) == 0); /* what was open stays so */
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	CHECK(kill(getppid(), 0) == (landlock_abi() < 6 ? 0 : -1));
	CHECK(try_to_connect() == (landlock_abi() < 4 ? -ECONNREFUSED : -EACCES));
	return 0;
}

static int confine_and_check(const struct tree *t)
{
	struct landlock_paths paths = {0};
	char path[128];
	_cleanup_close_ int before = -1;
	int err;

	path_of(t, "other/file", path);
	before = open(path, O_RDONLY | O_CLOEXEC);
	path_of(t, "read", path);
	strv_add(&paths.read, path, strlen(path));
	path_of(t, "missing", path);
	strv_add(&paths.read, path, strlen(path));
	path_of(t, "write", path);
	strv_add(&paths.write, path, strlen(path));
	err = landlock_enforce(&paths, NULL);
	landlock_paths_free(&paths);
	CHECK(err == 0);
	return check_confined(t, before);
}

static void test_only_what_is_allowed(void **state)
{
	struct tree t;
	pid_t child;
	int status;

	(void)state;
	if (!landlock_abi())
		skip();
	make_tree(&t);
	child = fork();
	if (child == 0)
		_exit(confine_and_check(&t));
	assert_int_equal(waitpid(child, &status, 0), child);
	remove_tree(&t);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status))
		fail_msg("wrong in the confined process, line %d modulo 256", WEXITSTATUS(status));
}

static void test_without_landlock(void **state)
{
	const struct landlock_paths none = {0};
	struct error e;

	(void)state;
	if (landlock_abi())
		skip();
	assert_int_equal(landlock_enforce(&none, &e), -EOPNOTSUPP);
	assert_int_equal(e.exit, EXIT_HOST_LACKS);
}

static void test_covers(void **state)
{
	static const struct {
		const char *path;
		bool covered;
	} rows[] = {
		{"/proc", true},        {"/proc/self/status", true}, {"/procfs", false},
		{"/", false},           {"/proc/../etc", false},     {"/usr/./share", true},
		{"/usr/nowhere", true}, {"/nowhere/at/all", false},
	};
	struct strv list = {0};

	(void)state;
	strv_add(&list, "/proc", 5);
	strv_add(&list, "/usr/", 5);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(landlock_covers(&list, rows[i].path), rows[i].covered);
	strv_free(&list);
	strv_add(&list, "/", 1);
	assert_true(landlock_covers(&list, "/nowhere/at/all"));
	strv_free(&list);
	assert_false(landlock_covers(&list, "/"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_what_is_allowed),
		cmocka_unit_test(test_without_landlock),
		cmocka_unit_test(test_covers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
