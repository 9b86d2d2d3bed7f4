/* SPDX-License-Identifier: MIT */
/*
 * The control groups (cgroups(7), version 2) of this host by their ids, kept fresh by inotify(7).
 * Nothing is read or watched before cgroups_start().
 *
 * One thread owns it: it starts it and calls cgroups_update() when cgroups_fd() is readable. Any
 * thread may ask for paths.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct cgroups; /* opaque */

struct cgroup_info {
	uint64_t id;      /* what bpf_get_current_cgroup_id() gives; never used again for another */
	const char *path; /* with the place where cgroup2 is mounted in front */
};

enum cgroup_event { CGROUP_ADDED, CGROUP_REMOVED };

typedef void (*cgroup_event_fn)(void *ctx, enum cgroup_event event, const struct cgroup_info *info);

int cgroups_new(struct cgroups **ret);
void cgroups_free(struct cgroups *c);

/* Becomes readable when something changed. */
int cgroups_fd(const struct cgroups *c);

/* Reads what there is and follows it from now on (no events for what is there). A second time it
 * does nothing. -ENOENT where no cgroup2 file system is mounted. */
int cgroups_start(struct cgroups *c, struct error *e);

/*
 * Takes in what changed and calls @fn for each group that came or went. Changes of which the kernel
 * could not tell are found by reading the whole tree. -ENOSPC when the host has not enough inotify
 * watches: then that is done every ten seconds.
 */
int cgroups_update(struct cgroups *c, cgroup_event_fn fn, void *ctx, struct error *e);

/* Calls @fn with CGROUP_ADDED for each group there is. Not from within an event. */
void cgroups_each(struct cgroups *c, cgroup_event_fn fn, void *ctx);

enum cgroup_state {
	CGROUP_UNKNOWN,
	CGROUP_GONE, /* it was there; the last few thousand of these are remembered */
	CGROUP_THERE,
};

/* Any thread: appends the path of group @id to @out, if it is known. */
enum cgroup_state cgroups_path(struct cgroups *c, uint64_t id, struct buf *out);

/* Any thread: changes with every group that comes or goes. */
uint64_t cgroups_generation(const struct cgroups *c);
