/* SPDX-License-Identifier: MIT */
/* Another user in the place of root, with some capabilities. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct user {
	uid_t uid;
	gid_t gid;
};

/* The user called @name, of the password database; EXIT_USAGE when there is none. */
int user_find(const char *name, struct user *ret, struct error *e);

/*
 * This process is @name's, @u, with its groups, and has those of the capabilities @keep that it
 * had:
 * these alone in all sets, the bounding set too. Needs root. For the time before other threads are
 * there.
 */
int user_become(const char *name, const struct user *u, uint64_t keep, struct error *e);
