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
	ENTRY_SHOWN,   /* its series are in entry_series() */
	ENTRY_HIDDEN,  /* a `delete_unknown` label names something that is not there */
	ENTRY_IGNORED, /* the config says not to show it */
	ENTRY_BROKEN,  /* cannot be decoded: counted at each scrape */
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

/* One metric: what to add up from a value, and where. */
struct field {
	struct family family;
	struct collector *collector;
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
	struct field *fields;
	size_t n_fields;
	struct view *views;
	size_t n_views;

	struct table keys;
	struct entry *entries;
	uint32_t *entry_series; /* n_views of them for each entry */
	uint32_t cap;

	uint32_t scrape;           /* counts reads */
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
	struct buf doomed; /* raw keys to delete from the map */
	uint8_t *extended_key;
};

/* The samples of a field, for its family. */
void collector_samples(const struct family *family, const struct exposition *x, struct buf *out);
