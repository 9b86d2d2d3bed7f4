// SPDX-License-Identifier: MIT
#include "base/watchdog.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/notify.h"

/* How long the service manager waits; 0: it does not. sd_watchdog_enabled(3) has the rules. */
static uint64_t patience_ns(void)
{
	const char *pid = getenv("WATCHDOG_PID"), *usec = getenv("WATCHDOG_USEC");

	if (!usec || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	return strtoull(usec, NULL, 10) * NSEC_PER_USEC;
}

static void on_timer(void *ctx)
{
	struct watchdog *w = ctx;
	uint64_t times;

	if (read(w->fd, &times, sizeof(times)) == sizeof(times))
		notify_send("WATCHDOG=1");
}

int watchdog_start(struct watchdog *w, struct loop *l)
{
	uint64_t half = patience_ns() / 2;
	struct timespec every = {.tv_sec = (time_t)(half / NSEC_PER_SEC),
				 .tv_nsec = (long)(half % NSEC_PER_SEC)};
	const struct itimerspec timer = {.it_interval = every, .it_value = every};

	if (!half)
		return 0;
	w->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (w->fd < 0 || timerfd_settime(w->fd, 0, &timer, NULL))
		return -errno;
	return loop_add(l, w->fd, on_timer, w);
}

void watchdog_stop(struct watchdog *w)
{
	w->fd = fd_close(w->fd);
}
