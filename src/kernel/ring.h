/* SPDX-License-Identifier: MIT */
/*
 * The records that BPF programs send through a ring buffer (BPF_MAP_TYPE_RINGBUF) or the buffers of
 * the CPUs (BPF_MAP_TYPE_PERF_EVENT_ARRAY). For one thread at a time, but for ring_lost().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "kernel/object.h"

struct ring; /* opaque */

/* One record, in memory that is the kernel's again afterwards. */
typedef void (*ring_fn)(void *ctx, const void *record, size_t len);

/* Whether @map is of one of these types. */
bool ring_is(const struct map_info *map);

/* The longest that a record of @size bytes can arrive as: the kernel, and C's structs, fill up. */
size_t ring_longest(const struct map_info *map, size_t size);

/*
 * @fn is called with the records by ring_drain() only. CPUs that come online later have no buffer
 * in a perf event array: what programs send from there is lost.
 */
int ring_open(const struct map_info *map, ring_fn fn, void *ctx, struct ring **ret,
	      struct error *e);
void ring_close(struct ring *r);

/*
 * Readable when there may be records. The kernel wakes once, not for every record: a ring buffer
 * when it was empty, a perf buffer when it is half full, either not at all where the program says
 * so. Whoever waits must look now and then.
 */
int ring_fd(const struct ring *r);

/*
 * Hands over what is there, and ends also where programs send as fast as it reads. Gives back how
 * full the buffer was (of several, the fullest), from 0 to RING_FULL, or a negative errno.
 */
enum { RING_FULL = 1024 };
int ring_drain(struct ring *r);

/*
 * Records that found a perf buffer full. The kernel tells with the next one that fits. Of ring
 * buffers it keeps no count: only the program knows.
 */
uint64_t ring_lost(const struct ring *r);
