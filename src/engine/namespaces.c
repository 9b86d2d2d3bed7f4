// SPDX-License-Identifier: MIT
#include "engine/namespaces.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/placement.h"
#include "kernel/netspaces.h"
#include "kernel/tc.h"

enum {
	/* One that has neither a file nor an interface in common with us makes no sign. */
	RESCAN_S = 3,
	/* From a sign of one to when it can be opened: `ip netns add` makes the file first. */
	SETTLE_NS = 50 * NSEC_PER_MSEC,
};

bool namespaces_are_followed(const struct agent *a)
{
	for (size_t i = 0; i < a->n_units; i++) {
		if (plan_leaves_own_netns(a->units[i]->plan))
			return true;
	}
	return false;
}

static bool is_wanted(const struct agent *a, uint64_t netns, const char *name)
{
	for (size_t i = 0; i < a->n_units; i++) {
		if (unit_wants_netns(a->units[i], netns, name))
			return true;
	}
	return false;
}

static bool keep(void *ctx, uint64_t netns)
{
	const struct agent *a = ctx;
	const struct netspace *space = netspaces_find(a->spaces, netns);

	return is_wanted(a, netns, space ? space->name : "");
}

/* What a killed daemon left there; not while one runs there, or another where we are. */
static void remove_leftovers(struct agent *a, uint64_t netns)
{
	_cleanup_close_ int claim = -1;
	unsigned removed = 0;
	struct error error;

	if (a->claim_fd < 0)
		return;
	if (netspaces_enter(a->spaces, netns, &error))
		return;
	if (!tc_claim(&claim, &error) && !tc_cleanup(&removed, &error) && removed)
		log_info("removed %u filters that a killed daemon left in net:[%llu]", removed,
			 (unsigned long long)netns);
	netspaces_leave(a->spaces);
}

static void follow(struct agent *a, const struct netspace *space)
{
	_cleanup_close_ int fd = -1;
	uint64_t netns = space->inode;
	struct error error;
	bool known = links_follows(a->links, netns);
	int err;

	fd = netspaces_open(a->spaces, netns, &error);
	if (fd == -ENOENT)
		return;
	if (fd >= 0 && !known)
		remove_leftovers(a, netns);
	err = fd < 0 ? fd : links_follow(a->links, netns, fd, a->on_link, a, &error);
	if (err && log_due(&a->namespaces_logged))
		log_warn("%s", error.text);
}

static void scan(struct agent *a)
{
	_cleanup_strv_ struct strv files = {0};
	const struct netspace *space;
	int err = 0;

	for (size_t i = 0; !err && i < a->n_units; i++)
		err = unit_add_netns_files(a->units[i], &files);
	if (!err)
		err = netspaces_scan(a->spaces, &files);
	if (err && log_due(&a->namespaces_logged))
		log_warn("cannot look for network namespaces: %s", strerror(-err));
	for (size_t i = 0; (space = netspaces_get(a->spaces, i)); i++) {
		if (is_wanted(a, space->inode, space->name))
			follow(a, space);
	}
}

/* ---- when ---- */

static void set_timer(struct agent *a, uint64_t first_ns)
{
	struct itimerspec times = {
		.it_value = {(time_t)(first_ns / NSEC_PER_SEC), (long)(first_ns % NSEC_PER_SEC)},
		.it_interval = {first_ns ? RESCAN_S : 0, 0},
	};

	timerfd_settime(a->namespaces_timer, 0, &times, NULL);
}

void namespaces_look_soon(struct agent *a)
{
	if (a->namespaces_timer >= 0)
		set_timer(a, SETTLE_NS);
}

static void on_timer(void *ctx)
{
	struct agent *a = ctx;
	uint64_t ignored;

	if (read(a->namespaces_timer, &ignored, sizeof(ignored)) < 0)
		return;
	netspaces_watch_fd(a->spaces);
	scan(a);
}

static void on_files(void *ctx)
{
	struct agent *a = ctx;

	netspaces_watch_read(a->spaces);
	namespaces_look_soon(a);
}

static int open_timer(struct agent *a)
{
	int watch;
	int err;

	if (a->namespaces_timer >= 0)
		return 0;
	a->namespaces_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (a->namespaces_timer < 0)
		return -errno;
	err = loop_add(a->loop, a->namespaces_timer, on_timer, a);
	watch = netspaces_watch_fd(a->spaces);
	return err || watch < 0 ? err : loop_add(a->loop, watch, on_files, a);
}

void namespaces_follow(struct agent *a, link_event_fn fn)
{
	int err;

	a->on_link = fn;
	links_unfollow(a->links, keep, fn, a);
	if (!namespaces_are_followed(a)) {
		if (a->namespaces_timer >= 0)
			set_timer(a, 0);
		return;
	}
	err = open_timer(a);
	if (err)
		log_error("network namespaces that come later are not followed: %s",
			  strerror(-err));
	else
		set_timer(a, RESCAN_S * NSEC_PER_SEC);
	/* What is found now is sent to the units with all the rest. */
	a->on_link = NULL;
	scan(a);
	a->on_link = fn;
}

void namespaces_close(struct agent *a)
{
	fd_close(a->namespaces_timer);
	netspaces_free(a->spaces);
}
