/* SPDX-License-Identifier: MIT */
/*
 * What a collector is made of: for collector_build.c, which makes it, and collector.c, which reads
 * with it. Nobody else includes this.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kernel/feed.h"
#include "metrics/collector.h"
#include "metrics/layout.h"
#include "metrics/view.h"

enum entry_state {
	ENTRY_NEW,
	ENTRY_WAITING, /* for a place: whether there is one is known at the end of the read */
	ENTRY_SHOWN,   /* its series are in entry_series() */
	ENTRY_HIDDEN,  /* a `delete_unknown` label names something that is not there */
	ENTRY_IGNORED, /* the config says not to show it */
	ENTRY_BROKEN,  /* cannot be decoded: counted at each scrape */
};

/* In entry_series, instead of a series: what max_series left no place for. An entry stays there as
 * long as it is in the map, or what it adds to would go down. */
enum {
	SERIES_UNSET = TABLE_NONE - 4,
	SERIES_OTHER,   /* it adds to the view's `other` */
	SERIES_DROPPED, /* it adds to nothing */
};

/* What is known of one raw key. */
struct entry {
	uint32_t seen;  /* the scrape that last found it */
	uint32_t epoch; /* c->epoch when it was decoded */
	uint32_t word;  /* histograms with a key for each bucket: which bucket, or the sum */
	uint32_t
		since; /* c->now when an unknown name was first (HIDDEN) or last (else) looked up */
	uint8_t state;
	bool unknown;
};

/* With `ttl`: since when an entry has been as it is. */
struct age {
	uint64_t fingerprint; /* of its values */
	uint32_t since;       /* c->now */
};

/* One metric: what to add up from a value, and where. */
struct field {
	struct family family;
	struct collector *collector;
	const struct value_config *config; /* NULL: the map's value is the metric itself */
	struct buckets buckets;
	uint32_t view;
	uint32_t word; /* its first number in the view's series */
	uint32_t n_words;
	/* In the value: */
	uint32_t offset;
	uint32_t size;
	bool array; /* n_words - 1 buckets at offset, the sum at sum_offset */
	bool has_sum;
	uint32_t sum_offset;
	/* With `top`: */
	const struct value_config *top; /* its config; NULL without */
	uint32_t sum_view;              /* by the labels of the rest: what is in the map */
	uint32_t sum_word;
	const struct field *rest; /* what has left it; NULL until it is found */
};

struct piece {
	size_t at;
	size_t len;
};

struct collector {
	const struct metric_config *config;
	const struct decode_env *env;
	struct layout layout;
	struct feed *feed;
	size_t value_stride; /* bytes from one value of an entry to the next */
	struct field *fields;
	size_t n_fields;
	struct view *views;
	size_t n_views;

	struct table keys;
	struct entry *entries;
	uint32_t *entry_series; /* n_views of them for each entry */
	struct age *ages;       /* NULL without ttl */
	uint64_t *last;         /* NULL without top: n_fields for each entry, at the last read */
	bool tops;              /* fields have `top` */
	uint32_t top_now;       /* c->now at the last read, for scores */
	uint32_t cap;
	uint32_t ttl;  /* seconds; 0 = entries stay */
	bool settling; /* who has no place now gets none */

	uint32_t scrape;           /* counts reads */
	uint32_t last_scrape;      /* the last one that succeeded */
	uint32_t epoch;            /* changes when every entry must be decoded anew */
	uint64_t names_generation; /* decode_generation() of what was decoded */
	uint32_t now;              /* seconds since boot, at this read */
	uint64_t errors;           /* entries not decoded in this read */
	uint32_t live;             /* entries found in this read */
	uint32_t next;             /* the entry that the next key is likely to be */
	bool valid;                /* the last read succeeded */
	_Atomic size_t n_series;   /* shown by the last read; any thread may ask */

	struct decode_scratch scratch;
	struct buf decoded;   /* texts of the labels of one entry, one behind the other */
	struct piece *pieces; /* for each label: its text in `decoded` */
	struct buf label_text;
	struct buf doomed;  /* raw keys to delete from the map */
	struct buf expired; /* the same, of those that ttl deletes */
	struct buf waiting; /* index and values of each entry that waits for a place */
	uint8_t *extended_key;
	uint8_t *last_values;                     /* with ttl: of the entry that was deleted */
	_Atomic uint64_t n_overflowed, n_expired; /* for collector_counts(), … */
	_Atomic uint64_t n_entries, max_entries;  /* … after each read */
	uint32_t map_max_entries;                 /* 0: the feed is not the map itself */
};

/* The entry of an extended key; TABLE_NONE without memory. */
uint32_t collector_find_entry(struct collector *c, const uint8_t *key);

/* Adds what @value has for @f to its numbers @to. */
void collector_add_field(const struct field *f, const struct entry *entry, uint64_t *to,
			 const uint8_t *value);

/* The series of view @view that @series, out of entry_series, stands for; TABLE_NONE: none. */
uint32_t collector_resolve(struct collector *c, uint32_t view, uint32_t series);

/* The key of @cpu's part of an entry, where there is one for each; until the next call. */
const uint8_t *collector_cpu_key(struct collector *c, const uint8_t *key, size_t cpu);

/* collector_ttl.c: takes note of whether the entry of @key, found just now, has changed. */
void collector_watch(struct collector *c, bool is_new, const uint8_t *key, const uint8_t *values);

/* Deletes those that did not change for the metric's ttl. */
void collector_expire(struct collector *c);

/* collector_top.c: takes @number of a field with `top` into its series. */
void top_add(struct collector *c, uint32_t index, size_t field, uint64_t number);

/* At the end of a read: who is shown, and what the rest is. */
int top_settle(struct collector *c);

/* How many numbers a series of a view with `top` has behind the @words of its fields. */
uint32_t top_words(uint32_t words);

/* Whether @series is shown, if it is there at all. */
bool top_shows(const struct view *v, uint32_t series);

/* The samples of a field, for its family. */
void collector_samples(const struct family *family, const struct exposition *x, struct buf *out);
