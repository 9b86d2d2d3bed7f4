/* SPDX-License-Identifier: MIT */
/* The buckets of a histogram: which raw bucket key is which, and the bounds that Prometheus
 * sees. */
#pragma once

#include <stdint.h>

#include "config/config.h"

/* What buckets_index() gives besides an index. */
#define BUCKET_SUM     (UINT32_MAX - 1) /* the key that holds the sum */
#define BUCKET_OUTSIDE UINT32_MAX       /* a key that is no bucket of this histogram */

/* A bucket's bound, rendered once: le="0.5"} and a blank. */
struct bucket_bound {
	char text[40];
	uint8_t len;
};

struct buckets {
	const struct bucket_config *config; /* must outlive it */
	uint32_t count;
	double multiplier;       /* 0 in the config is 1 here */
	struct bucket_bound *le; /* count of them */
};

int buckets_init(struct buckets *b, const struct bucket_config *config);
void buckets_free(struct buckets *b);

/* The inclusive upper bound of bucket @index, in the metric's unit. */
double buckets_upper_bound(const struct buckets *b, uint32_t index);

/* Which bucket the raw key @key is: an index, BUCKET_SUM or BUCKET_OUTSIDE. */
uint32_t buckets_index(const struct buckets *b, uint64_t key);
