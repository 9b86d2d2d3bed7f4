// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/watchdog.h"

enum { TIMES = 3 };

/* What the service manager hears, until it has heard enough. */
struct manager {
	struct loop *loop;
	int fd;
	unsigned heard;
};

static void on_message(void *ctx)
{
	struct manager *m = ctx;
	char text[64] = "";

	assert_true(recv(m->fd, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, "WATCHDOG=1");
	if (++m->heard == TIMES)
		loop_stop(m->loop);
}

static void start_manager(struct manager *m)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char name[64];
	int len = snprintf(name, sizeof(name), "@wiregauge-test-watchdog-%d", getpid());

	assert_int_equal(loop_new(&m->loop), 0);
	m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	memcpy(at.sun_path + 1, name + 1, (size_t)len - 1);
	assert_int_equal(bind(m->fd, (struct sockaddr *)&at,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len)),
			 0);
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(loop_add(m->loop, m->fd, on_message, m), 0);
}

static void test_it_is_told_again_and_again(void **state)
{
	struct watchdog w = WATCHDOG_NONE;
	struct manager m = {0};
	char pid[16];

	(void)state;
	start_manager(&m);
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("WATCHDOG_PID", pid, 1);
	setenv("WATCHDOG_USEC", "20000", 1);
	assert_int_equal(watchdog_start(&w, m.loop), 0);
	assert_int_equal(loop_run(m.loop), 0);
	assert_int_equal(m.heard, TIMES);
	watchdog_stop(&w);
	loop_free(m.loop);
	close(m.fd);
}

static void test_nobody_asks(void **state)
{
	struct watchdog w = WATCHDOG_NONE;
	struct loop *l = NULL;

	(void)state;
	assert_int_equal(loop_new(&l), 0);
	setenv("WATCHDOG_USEC", "20000", 1);
	setenv("WATCHDOG_PID", "1", 1); /* another process is asked */
	assert_int_equal(watchdog_start(&w, l), 0);
	assert_int_equal(w.fd, -1);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	assert_int_equal(watchdog_start(&w, l), 0);
	assert_int_equal(w.fd, -1);
	watchdog_stop(&w);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_is_told_again_and_again),
		cmocka_unit_test(test_nobody_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
