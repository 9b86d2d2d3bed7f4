// SPDX-License-Identifier: MIT
#include "base/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/macro.h"

enum { LIMIT_S = 10 };

/*
 * What the parent holds goes with the parent, also when it is killed meanwhile: a listening socket
 * or a BPF link that lived on in here would be in the way of the next one. Gives back where
 * @result is now.
 */
static int let_go(pid_t parent, int result)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it died before that */
		_exit(1);
	result = dup2(result, STDERR_FILENO + 1);
	close_range((unsigned)result + 1, ~0U, 0);
	return result;
}

/* Only one thread is in the child, and glibc keeps malloc usable there. */
static void run(trial_fn fn, void *ctx, int result)
{
	static const int deadly[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM};
	char byte = 0;

	prctl(PR_SET_DUMPABLE, 0); /* no core file of what was to be expected */
	for (unsigned i = 0; i < ARRAY_SIZE(deadly); i++)
		signal(deadly[i], SIG_DFL);
	alarm(LIMIT_S);
	fn(ctx);
	_exit(write(result, &byte, 1) == 1 ? 0 : 1);
}

int trial_run(trial_fn fn, void *ctx, bool *ret_survived)
{
	_cleanup_close_ int read_end = -1;
	pid_t parent = getpid(), child;
	int ends[2], code;
	ssize_t got;
	char byte;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	read_end = ends[0];
	child = fork();
	code = -errno;
	if (child == 0)
		run(fn, ctx, let_go(parent, ends[1]));
	close(ends[1]);
	if (child < 0)
		return code;
	/* The pipe says it: where SIGCHLD is ignored, there is no exit status. */
	do
		got = read(read_end, &byte, 1);
	while (got < 0 && errno == EINTR);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	*ret_survived = got == 1;
	return 0;
}
