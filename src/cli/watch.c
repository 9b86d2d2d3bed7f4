// SPDX-License-Identifier: MIT
#include "cli/watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define SECONDS_DEFAULT 2.0
#define SECONDS_LEAST   0.1
#define SECONDS_MOST    3600.0

/* ECMA-48, and DEC's private modes as xterm(1) has them. */
#define SCREEN_ENTER "\033[?1049h\033[?25l" /* the other screen, no cursor */
#define SCREEN_LEAVE "\033[?25h\033[?1049l"
#define SCREEN_HOME  "\033[H"
#define LINE_END     "\033[K\n" /* clears what was behind it */
#define SCREEN_END   "\033[J"   /* and below */

int watch_parse(const char *text, double *ret, struct error *e)
{
	char *end;

	*ret = SECONDS_DEFAULT;
	if (!*text)
		return 0;
	*ret = strtod(text, &end);
	if (*end == 's' && end[1] == '\0')
		end++;
	if (*end || !(*ret >= SECONDS_LEAST && *ret <= SECONDS_MOST))
		return error_set_usage(e, "--watch takes seconds from %.1f to %.0f, not '%s'",
				       SECONDS_LEAST, SECONDS_MOST, text);
	return 0;
}

/* What ends it, or has it drawn anew, comes by a descriptor. */
static int open_signals(struct error *e)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? error_set(e, -errno, "cannot wait for signals: %s", strerror(errno)) : fd;
}

static int write_all(const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_text(const char *text)
{
	return write_all(text, strlen(text));
}

/* In one write, over what is there: nothing flickers. */
static int draw(const struct buf *text)
{
	_cleanup_buf_ struct buf out = {0};

	buf_add_str(&out, SCREEN_HOME);
	for (size_t i = 0; i < text->len; i++) {
		if (text->data[i] != '\n')
			buf_add_char(&out, text->data[i]);
		else if (i + 1 < text->len)
			buf_add_str(&out, LINE_END);
		else
			buf_add_str(&out, "\033[K");
	}
	buf_add_str(&out, SCREEN_END);
	return buf_ok(&out) ? write_all(out.data, out.len) : -ENOMEM;
}

/* Sleeps until @until_ns. True when the person ends it. */
static bool wait_until(int signals, uint64_t until_ns)
{
	for (;;) {
		struct pollfd fd = {.fd = signals, .events = POLLIN};
		uint64_t now = clock_monotonic_ns();
		struct signalfd_siginfo info;

		if (now >= until_ns)
			return false;
		if (poll(&fd, 1, (int)((until_ns - now) / NSEC_PER_MSEC) + 1) <= 0)
			continue;
		while (read(signals, &info, sizeof(info)) == sizeof(info)) {
			if (info.ssi_signo != SIGWINCH)
				return true;
		}
	}
}

static int show_once(const struct watch *w, watch_fn fn, void *ctx, struct error *e)
{
	_cleanup_buf_ struct buf out = {0};
	int err = fn(ctx, &out, e);

	if (err)
		return err;
	err = w->screen ? draw(&out) : write_all(out.data, out.len);
	return err == -EPIPE || !err ? err : error_set(e, err, "cannot write: %s", strerror(-err));
}

static int run(const struct watch *w, int signals, watch_fn fn, void *ctx, struct error *e)
{
	uint64_t step = (uint64_t)(w->seconds * (double)NSEC_PER_SEC);
	uint64_t next = clock_monotonic_ns();
	int err = 0;

	while (!err && !wait_until(signals, next)) {
		err = show_once(w, fn, ctx, e);
		/* Whoever cannot keep up leaves some out. */
		next = MAX(next + step, clock_monotonic_ns());
	}
	return err == -EPIPE ? 0 : err;
}

int watch_run(const struct watch *w, watch_fn fn, void *ctx, struct error *e)
{
	_cleanup_close_ int signals = open_signals(e);
	int err;

	if (signals < 0)
		return signals;
	if (w->screen)
		write_text(SCREEN_ENTER SCREEN_HOME SCREEN_END);
	err = run(w, signals, fn, ctx, e);
	if (w->screen)
		write_text(SCREEN_LEAVE);
	return err;
}
