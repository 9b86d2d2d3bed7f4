/* SPDX-License-Identifier: MIT */
/*
 * Whose a network namespace is: the control group of its first process, by /proc. It tells which
 * container the namespace belongs to, which its file in /run/netns does not.
 *
 * The namespaces of processes of others are shown to holders of CAP_SYS_PTRACE; without it, and for
 * namespaces without processes, nothing is known. All of it is thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct netowners; /* opaque */

int netowners_new(struct netowners **ret);
void netowners_free(struct netowners *n);

/*
 * Appends the group of namespace @inode as /proc/PID/cgroup has it ("/" is the top); false when it
 * is not known. Reads /proc when @version is another than the last time (that of the names of
 * namespaces: numbers are used again, for another one), when the number is new, but not more than
 * once a second, and every ten seconds while anyone asks.
 */
bool netowners_cgroup(struct netowners *n, uint64_t inode, uint64_t version, struct buf *out);

/* Changes when the answers may. */
uint64_t netowners_generation(struct netowners *n, uint64_t version);
