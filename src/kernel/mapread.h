/* SPDX-License-Identifier: MIT */
/*
 * All entries of a BPF map, in batches where the kernel can, else key by key (bpf(2):
 * BPF_MAP_LOOKUP_BATCH, BPF_MAP_GET_NEXT_KEY). Buffers are kept: in the steady state a read
 * allocates nothing.
 */
#pragma once

#include "base/error.h"
#include "kernel/feed.h"
#include "kernel/object.h"

struct mapread; /* opaque */

/* Whether maps that are open can be read with CAP_BPF alone, as before Linux 5.19 where
 * kernel.unprivileged_bpf_disabled is not 0. */
bool mapread_needs_capability(void);

int mapread_new(const struct map_info *map, struct mapread **ret, struct error *e);
void mapread_free(struct mapread *m);

/* The same reader as where a collector's entries come from; feed_free() then frees it. */
struct feed *mapread_feed(struct mapread *m);

/*
 * Of a map of rows (map_info.rows) the entries are the rows whose key is not all zeros. They cannot
 * be removed.
 */

/* Bytes from one value to the next in what feed_fn sees. A value is one of value_size bytes, or for
 * a per-CPU map one for each possible CPU, value_size rounded up to 8 apart. */
size_t mapread_value_stride(const struct mapread *m);

/* Values an entry has: possible CPUs for a per-CPU map, else 1. */
size_t mapread_values_per_entry(const struct mapread *m);

/*
 * Reads everything. An entry that others delete meanwhile may or may not be seen; one that is there
 * all the time is seen exactly once. -EBUSY where there are no batches and entries come and go
 * faster than they can be read.
 */
int mapread_all(struct mapread *m, feed_fn fn, void *ctx, struct error *e);

/*
 * Removes @key as feed_remove() does. Hash maps of 5.14 and later give the last values and delete
 * in one step; elsewhere what a program adds between the two is lost. What is lost everywhere is
 * what a program adds that had found the entry before.
 */
int mapread_remove(struct mapread *m, const void *key, void *ret_values);
