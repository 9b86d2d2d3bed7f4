// SPDX-License-Identifier: MIT
/*
 * The part of latency in user space. It holds a socket that wants receive timestamps, as the kernel
 * makes none while nobody does, and tells the programs what the clocks differ by and which number
 * the interface has that they are to look at: at the start, every ten seconds, and at once when
 * somebody sets the clock.
 */
#include <errno.h>
#include <linux/net_tstamp.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "engine/part.h"
#include "kernel/mapwrite.h"
#include "latency.h"

enum { REFRESH_SECONDS = 10 };

struct latency {
	int socket;
	int timer;
	int map;               /* latency_clock; the object's */
	const char *interface; /* the option: the only one that is looked at; or "" */
	uint64_t logged;       /* log_due() */
};

static int hold_timestamps(int *ret, struct error *e)
{
	const int flags = SOF_TIMESTAMPING_RX_SOFTWARE;
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)))
		return error_set(e, -errno,
				 "cannot switch receive timestamps on, without which nothing is "
				 "measured on the way in: socket with SO_TIMESTAMPING: %s",
				 error_words(-errno));
	*ret = TAKE_FD(fd);
	return 0;
}

/* By CLOCK_REALTIME, so that the kernel cancels it when that is set (timerfd_create(2)). */
static int start_timer(int fd)
{
	struct itimerspec when = {.it_interval = {.tv_sec = REFRESH_SECONDS}};

	clock_gettime(CLOCK_REALTIME, &when.it_value);
	when.it_value.tv_sec += REFRESH_SECONDS;
	if (timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, NULL))
		return -errno;
	return 0;
}

static int open_timer(int *ret, struct error *e)
{
	_cleanup_close_ int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	int err = fd < 0 ? -errno : start_timer(fd);

	if (err)
		return error_set(e, err, "cannot follow the clock: timerfd: %s", error_words(err));
	*ret = TAKE_FD(fd);
	return 0;
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t = {0};

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * (int64_t)NSEC_PER_SEC + t.tv_nsec;
}

/* The middle of two readings around one of CLOCK_REALTIME: off by half of what they are apart, so
 * the best of a few. */
static int64_t realtime_offset(void)
{
	int64_t best = INT64_MAX, offset = 0;

	for (int i = 0; i < 5; i++) {
		int64_t before = clock_ns(CLOCK_MONOTONIC);
		int64_t realtime = clock_ns(CLOCK_REALTIME);
		int64_t apart = clock_ns(CLOCK_MONOTONIC) - before;

		if (apart >= best)
			continue;
		best = apart;
		offset = realtime - before - apart / 2;
	}
	return offset;
}

static uint32_t own_netns(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) ? 0 : (uint32_t)st.st_ino;
}

static int write_clock(const struct latency *l)
{
	struct ntptimeval ntp = {0};
	struct latency_clock clock = {
		.netns = own_netns(),
		.valid = 1,
		.interface = if_nametoindex(l->interface), /* 0 for "" */
	};
	const uint32_t zero = 0;

	ntp_gettime(&ntp); /* its return value is the state of the clock, which does not matter */
	clock.tai = (int64_t)ntp.tai * (int64_t)NSEC_PER_SEC;
	clock.realtime = realtime_offset();
	return mapwrite_put(l->map, &zero, &clock);
}

static void latency_stop(void *state)
{
	struct latency *l = state;

	fd_close(l->timer);
	fd_close(l->socket);
}

static int latency_start(const struct part_context *c, void *state, int *ret_fd, struct error *e)
{
	struct latency *l = state;
	struct map_info map;
	int err = object_find_map(c->object, "latency_clock", &map);

	*l = (struct latency){.socket = -1, .timer = -1};
	if (err)
		return error_set(e, err, "there is no map 'latency_clock'");
	l->map = map.fd;
	l->interface = module_option(c->module, "interface")->items[0];
	err = write_clock(l);
	if (err)
		return error_set(e, err, "cannot write what the clocks differ by: %s",
				 error_words(err));
	err = hold_timestamps(&l->socket, e);
	if (!err)
		err = open_timer(&l->timer, e);
	if (err)
		latency_stop(l);
	else
		*ret_fd = l->timer;
	return err;
}

/* Every few seconds, or at once after the clock was set: read(2) says ECANCELED then. */
static void latency_ready(void *state)
{
	struct latency *l = state;
	uint64_t count;
	int err = 0;

	if (read(l->timer, &count, sizeof(count)) < 0 && errno == ECANCELED)
		err = start_timer(l->timer);
	if (!err)
		err = write_clock(l);
	if (err && log_due(&l->logged))
		log_warn("latency: cannot follow the clock: %s", error_words(err));
}

MODULE_PART(latency, .state_size = sizeof(struct latency), .start = latency_start,
	    .ready = latency_ready, .stop = latency_stop);
