/* SPDX-License-Identifier: MIT */
/*
 * Metrics whose map is a ring buffer or a perf event array: a thread of the unit reads the records
 * and adds them up by key, and a scrape reads the sums as if they were a map.
 *
 *	program ──► buffer ──► thread of the unit, or a scrape ──► tally ──► collector
 *
 * events_add … → events_start → scrapes → events_free
 */
#pragma once

#include <stdint.h>

#include "kernel/feed.h"
#include "kernel/object.h"
#include "metrics/collector.h"

struct events; /* opaque; NULL where no metric comes from events */

/*
 * For a @metric whose @map holds events: the feed that a collector can take over, into *ret_feed,
 * and what its keys and values are like into *map; *events is made if there is none. For any other
 * *ret_feed is NULL. What is wrong with the config for such a map goes to @report (-EINVAL).
 */
int events_add(struct events **events, const struct object *o, const struct metric_config *metric,
	       const struct source *source, struct report *report, struct map_info *map,
	       struct feed **ret_feed);

/* Opens the buffers and starts the thread, when the maps are in the kernel. */
int events_start(struct events *events, struct error *e);

/* The feed of @map, which stays its collector's, for others who read the sums, with what its keys
 * and values are like in @map then; NULL: it holds no events. */
struct feed *events_feed(const struct events *events, struct map_info *map);

/* Stops the thread. The feeds that collectors still have can only be freed after that. */
void events_free(struct events *events);

/* What was counted of one map since the start. */
struct events_stats {
	const char *map;
	uint64_t lost;     /* records that found the buffer full */
	uint64_t overflow; /* records of keys for which there was no room; in no series */
};

/* Of the map at @index, from 0; false past the end. */
bool events_stats(const struct events *events, size_t index, struct events_stats *ret);

/* Malformed records since the last call. */
uint64_t events_take_malformed(struct events *events);
