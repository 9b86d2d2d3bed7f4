// SPDX-License-Identifier: MIT
/* A child that tries something: what it says, and what it must not keep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/trial.h"

enum {
	PATIENCE_MS = 30000,
	CHILD_LIFE_S = 60,
};

static void do_nothing(void *ctx)
{
	(void)ctx;
}

static void crash(void *ctx)
{
	(void)ctx;
	abort();
}

static void crash_if_open(void *ctx)
{
	if (fcntl(*(const int *)ctx, F_GETFD) >= 0)
		abort();
}

static bool survives(trial_fn fn, void *ctx)
{
	bool survived;

	assert_int_equal(trial_run(fn, ctx, &survived), 0);
	return survived;
}

static void says_whether_it_came_back(void **state)
{
	(void)state;
	assert_true(survives(do_nothing, NULL));
	assert_false(survives(crash, NULL));
}

static void has_no_descriptor_of_the_parent(void **state)
{
	int low = fcntl(STDOUT_FILENO, F_DUPFD, 10), high = fcntl(STDOUT_FILENO, F_DUPFD, 500);

	(void)state;
	assert_true(low > 0 && high > low);
	assert_true(survives(crash_if_open, &low));
	assert_true(survives(crash_if_open, &high));
	close(high);
	close(low);
}

/* Longer than the ten seconds that a trial has. */
static void say_who_and_wait(void *ctx)
{
	signal(SIGALRM, SIG_IGN);
	*(volatile pid_t *)ctx = getpid();
	sleep(CHILD_LIFE_S);
}

/* Not when it is alive only as somebody's zombie. */
static void wait_for_end(pid_t pid)
{
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd ended = {.fd = fd, .events = POLLIN};

	if (fd >= 0)
		assert_int_equal(poll(&ended, 1, PATIENCE_MS), 1);
	else
		assert_int_equal(errno, ESRCH);
}

static void dies_with_the_parent(void **state)
{
	volatile pid_t *child = mmap(NULL, sizeof(*child), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t parent = fork();
	bool survived;

	(void)state;
	assert_true(child != MAP_FAILED && parent >= 0);
	if (parent == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		trial_run(say_who_and_wait, (void *)child, &survived);
		_exit(1);
	}
	for (int i = 0; i < PATIENCE_MS && !*child; i++)
		usleep(1000);
	assert_true(*child > 0);
	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	wait_for_end(*child);
	munmap((void *)child, sizeof(*child));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_whether_it_came_back),
		cmocka_unit_test(has_no_descriptor_of_the_parent),
		cmocka_unit_test(dies_with_the_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
