/* SPDX-License-Identifier: MIT */
/*
 * Landlock (landlock(7), Documentation/userspace-api/landlock.rst): a process gives up all files
 * but some, for itself and what it starts, for good. It also can no more mount, trace a process
 * outside, listen or connect by TCP, or send signals to others. What is open stays open.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/strv.h"

struct landlock_paths {
	struct strv list;  /* folders, of which only the names below them are told */
	struct strv read;  /* files and folders, with all below them */
	struct strv write; /* likewise: read, made, changed, removed */
};

void landlock_paths_free(struct landlock_paths *p);

/* The kernel's version of Landlock, from 1; 0 where it has none, or it is switched off. */
int landlock_abi(void);

/*
 * From now on this thread, and all that it starts, has only @paths; those that are not there are
 * left out. Sets no_new_privs. -EOPNOTSUPP without Landlock. For the time before other threads are
 * there: these would stay as they are.
 */
int landlock_enforce(const struct landlock_paths *paths, struct error *e);

/* Whether @path is one of @list, or below one; both as realpath(3) has them, where they are
 * there. */
bool landlock_covers(const struct strv *list, const char *path);
