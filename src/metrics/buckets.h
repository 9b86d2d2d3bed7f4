/* SPDX-License-Identifier: MIT */
/*
 * The buckets of a histogram: which raw bucket key is which, and the bounds that Prometheus
 * sees.
 *
 * A series has `count` numbers, one a bucket, each counting alone. What is written as
 * classic buckets (`le`) are the bounds below: one a bucket, except that those of a native
 * histogram are folded into fewer:
 *
 *	for (i = 0, at = 0; i < b->n_bounds; i++) {
 *		while (at < b->bounds[i].end)
 *			cumulative += counts[at++];
 *		…
 *	}
 *
 * Native histograms (bucket_type: native). The map's key of a bucket, of schema n:
 *
 *	0		the value 0
 *	k + 1		values v with 2^((k-1)/2^n) < v ≤ 2^(k/2^n), in the map's unit
 *
 * so that keys 0, 1 and 2^n + 1 are the values 0, 1 and (…, 2]. The multiplier is 2^e; times it,
 * the bucket of key k + 1 is Prometheus's bucket k + e·2^n. bpf/histogram.bpf.h writes these keys.
 * The lowest bucket is Prometheus's zero bucket: of the value 0 alone, or where bucket_min is
 * above 0, of everything up to that bucket's bound, as what is smaller counts in it as well.
 */
#pragma once

#include <stdint.h>

#include "config/config.h"

/* What buckets_index() gives besides an index. */
#define BUCKET_SUM     (UINT32_MAX - 1) /* the key that holds the sum */
#define BUCKET_OUTSIDE UINT32_MAX       /* a key that is no bucket of this histogram */

/* A classic bound, inclusive; rendered once: le="0.5"} and a blank. */
struct bucket_bound {
	double value; /* in the metric's unit */
	uint32_t end; /* buckets 0 … end - 1 are below it */
	uint8_t len;
	bool whole; /* without point and exponent: OpenMetrics wants .0 behind it */
	char text[42];
};

struct buckets {
	const struct bucket_config *config; /* must outlive it */
	uint32_t count;
	double multiplier; /* 0 in the config is 1 here */
	uint32_t n_bounds;
	struct bucket_bound *bounds; /* ascending, without +Inf */

	/* Native histograms: bucket 0 is the zero bucket, bucket i > 0 is the one that Prometheus
	 * numbers first_index + i - 1. A zero_threshold of 0 is the value 0 alone; note that
	 * Prometheus takes a histogram with threshold 0 and no spans for a classic one. */
	bool native;
	uint32_t schema;
	int32_t first_index;
	double zero_threshold;
};

int buckets_init(struct buckets *b, const struct bucket_config *config);
void buckets_free(struct buckets *b);

/* The inclusive upper bound of bucket @index in the metric's unit; of native histograms, which are
 * shown with coarser ones as well, its own. */
double buckets_upper_bound(const struct buckets *b, uint32_t index);

/* Which bucket the raw key @key is: an index, BUCKET_SUM or BUCKET_OUTSIDE. */
uint32_t buckets_index(const struct buckets *b, uint64_t key);
