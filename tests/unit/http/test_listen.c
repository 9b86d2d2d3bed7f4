// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "http/listen.h"

/* The first descriptor that a service manager passes: sd_listen_fds(3). */
enum { FIRST_PASSED = 3 };

static char dir[] = "/tmp/listen-XXXXXX";
static char path[64];

static int make_dir(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "%s/socket", mkdtemp(dir));
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static void test_sockets_that_were_passed(void **state)
{
	static const char *const addresses[] = {"fd://3", "fd://0"};
	int kept = dup(FIRST_PASSED), listening, fd;
	struct error error;

	(void)state;
	assert_int_equal(listen_tcp("127.0.0.1:0", &listening, &error), 0);
	assert_true(listening == FIRST_PASSED || dup2(listening, FIRST_PASSED) == FIRST_PASSED);
	for (size_t i = 0; i < 2; i++) {
		fd = -1;
		assert_int_equal(listen_tcp(addresses[i], &fd, &error), 0);
		assert_int_equal(fd, FIRST_PASSED);
	}
	assert_int_equal(listen_tcp("fd://x", &fd, &error), -EINVAL);
	close(FIRST_PASSED);
	assert_int_equal(listen_tcp("fd://0", &fd, &error), -ENOTSOCK);
	assert_non_null(strstr(error.text, "descriptor 3 is no listening socket"));
	if (kept >= 0)
		dup2(kept, FIRST_PASSED);
}

static void test_whose_socket_was_passed(void **state)
{
	char pid[16];

	(void)state;
	unsetenv("LISTEN_PID");
	setenv("LISTEN_FDS", "1", 1);
	assert_null(listen_passed());
	setenv("LISTEN_PID", "1", 1); /* another process's, which this one inherited by mistake */
	assert_null(listen_passed());
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("LISTEN_PID", pid, 1);
	assert_string_equal(listen_passed(), "fd://3");
	setenv("LISTEN_FDS", "0", 1);
	assert_null(listen_passed());
	unsetenv("LISTEN_FDS");
}

static void test_ports(void **state)
{
	struct error error;
	int fd = -1;

	(void)state;
	assert_int_equal(listen_tcp("127.0.0.1:65536", &fd, &error), -EINVAL);
	assert_int_equal(error.exit, EXIT_USAGE);
	assert_int_equal(listen_tcp("127.0.0.1:", &fd, &error), -EINVAL);
	assert_int_equal(fd, -1);
}

static void test_unix_socket(void **state)
{
	struct error error;
	struct stat file;
	int fd, second = -1;

	(void)state;
	assert_int_equal(listen_unix(path, (gid_t)-1, &fd, &error), 0);
	assert_int_equal(stat(path, &file), 0);
	assert_int_equal(file.st_mode & 0777, 0660);
	assert_int_equal(listen_unix(path, (gid_t)-1, &second, &error), -EADDRINUSE);
	close(fd);
	/* Nobody listens there any more. */
	assert_int_equal(listen_unix(path, (gid_t)-1, &fd, &error), 0);
	close(fd);
	unlink(path);
}

static void test_directories_are_made(void **state)
{
	struct error error;
	char deep[96];
	int fd;

	(void)state;
	snprintf(deep, sizeof(deep), "%s/run/wiregauge/socket", dir);
	assert_int_equal(listen_unix(deep, (gid_t)-1, &fd, &error), 0);
	close(fd);
	assert_int_equal(unlink(deep), 0);
	snprintf(deep, sizeof(deep), "%s/run/wiregauge", dir);
	assert_int_equal(rmdir(deep), 0);
	snprintf(deep, sizeof(deep), "%s/run", dir);
	assert_int_equal(rmdir(deep), 0);
}

/* A path given by mistake must not cost a person the file. */
static void test_other_files_stay(void **state)
{
	FILE *file = fopen(path, "w");
	struct error error;
	int fd = -1;

	(void)state;
	assert_non_null(file);
	fclose(file);
	assert_int_equal(listen_unix(path, (gid_t)-1, &fd, &error), -EEXIST);
	assert_non_null(strstr(error.text, "is no socket"));
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(fd, -1);
}

/* As a child of a daemon that was killed has it for a moment. */
static void test_port_that_becomes_free(void **state)
{
	const struct timespec moment = {.tv_nsec = 100000000};
	struct sockaddr_in at;
	socklen_t len = sizeof(at);
	char address[32];
	struct error error;
	int held, fd;
	pid_t child;

	(void)state;
	assert_int_equal(listen_tcp("127.0.0.1:0", &held, &error), 0);
	assert_int_equal(getsockname(held, (struct sockaddr *)&at, &len), 0);
	snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(at.sin_port));
	child = fork();
	if (child == 0) {
		nanosleep(&moment, NULL);
		_exit(0);
	}
	close(held);
	assert_int_equal(listen_tcp(address, &fd, &error), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(listen_tcp(address, &held, &error), -EADDRINUSE);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sockets_that_were_passed),
		cmocka_unit_test(test_whose_socket_was_passed),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_port_that_becomes_free),
		cmocka_unit_test(test_unix_socket),
		cmocka_unit_test(test_directories_are_made),
		cmocka_unit_test(test_other_files_stay),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
