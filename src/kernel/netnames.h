/* SPDX-License-Identifier: MIT */
/*
 * Names of network namespaces (ip-netns(8)) by the inode numbers that the kernel's programs see
 * (net->ns.inum); read at the first question. All of it is thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct netnames; /* opaque */

int netnames_new(struct netnames **ret);
void netnames_free(struct netnames *n);

/*
 * Appends the name of the namespace to @out: that of its file in /run/netns or /run/docker/netns,
 * else "host" for the one that process 1 is in, or the caller where that must not be known; false
 * where it has none.
 */
bool netnames_name(struct netnames *n, uint64_t inode, struct buf *out);

/* Whether @inode is that of process 1's, or of our own where that may not be known. */
bool netnames_is_host(struct netnames *n, uint64_t inode);

/* Changes when names come or go; asks for the times of the directories, no more. */
uint64_t netnames_generation(struct netnames *n);
