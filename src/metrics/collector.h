/* SPDX-License-Identifier: MIT */
/*
 * All metrics that come out of one BPF map: reads it in batches, finds each key's series, adds up.
 *
 *	map ──► feed ──► entry (raw key, decoded once) ──► series of each view ──► families
 *
 * One scrape at a time; only collector_series() and collector_counts() may be asked meanwhile.
 */
#pragma once

#include <stdint.h>

#include "decode/decoder.h"
#include "kernel/feed.h"
#include "kernel/object.h"
#include "metrics/family.h"

struct collector; /* opaque */

/* Whether what has `when: option` is exported: @option may be NULL, for what has none. */
typedef bool (*collector_when_fn)(const void *ctx, const char *option);

/* What a collector needs of the one who runs it. */
struct collector_env {
	const struct decode_env *decode;
	const char *prefix;     /* of the metrics' names */
	bool aliases;           /* what is exported only under an `alias` is */
	collector_when_fn when; /* NULL: everything is exported */
	/* What the uint option @option says, for `top`; NULL: 1. */
	uint64_t (*number)(const void *ctx, const char *option);
	const void *when_ctx;
};

/* A value with `top` has no more series than this, whatever the option says. */
enum { COLLECTOR_TOP_MAX = 10000 };

/*
 * @map says what the keys and values are like. They come from @feed, which is taken over in any
 * case; without one the map itself is read. @metric, @source and env->decode must outlive it. What
 * is wrong with the config for this map goes to @report at its place (-EINVAL). Families are named
 * env->prefix + '_' + name.
 */
int collector_new(const struct metric_config *metric, const struct source *source,
		  const struct map_info *map, struct feed *feed, const struct collector_env *env,
		  struct report *report, struct collector **ret);
void collector_free(struct collector *c);

/* Finds the `rest` of values with `top` among @all of the same config. They must be there as long,
 * and those that are rests be read first: what is read later is in the rest a read later. */
void collector_find_rests(struct collector *c, struct collector *const *all, size_t n_all);

/* The metric that it was made for; its name is that of the map. */
const struct metric_config *collector_config(const struct collector *c);

size_t collector_family_count(const struct collector *c);
const struct family *collector_family(const struct collector *c, size_t index);

/*
 * Reads the map; the families then show what was in it. After an error they show nothing until a
 * later read succeeds. *@decode_errors is raised by the entries that could not be decoded.
 */
int collector_read(struct collector *c, uint64_t *decode_errors, struct error *e);

/* Entries of the map. Any thread may ask. */
struct collector_counts {
	uint64_t entries;     /* in the map at the last read */
	uint64_t max_entries; /* for how many it has room; 0: they are in no map, or not read */
	/* All since the start: */
	uint64_t overflowed; /* found no place among max_series: summed as other, or dropped */
	uint64_t expired;    /* deleted because they did not change for the metric's ttl */
};
void collector_counts(const struct collector *c, struct collector_counts *ret);

/* Series shown by the last read, over all families. Any thread may ask. */
size_t collector_series(const struct collector *c);
