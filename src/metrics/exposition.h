/* SPDX-License-Identifier: MIT */
/*
 * The formats in which Prometheus takes metrics: one file each. A format is told one family after
 * the other, and of each its samples; it keeps no state.
 */
#pragma once

#include <stdint.h>

#include "metrics/family.h"

/* What a histogram is made of: counts of each bucket alone (not cumulative), as many as
 * f->buckets->count, and the sum of what was observed, before the multiplier. */
struct histogram_sample {
	const uint64_t *counts;
	uint64_t sum;
};

struct exposition {
	const char *content_type;
	void (*begin_family)(struct buf *out, const struct family *f);
	void (*add_uint)(struct buf *out, const struct family *f, struct label_text labels,
			 uint64_t value);
	void (*add_double)(struct buf *out, const struct family *f, struct label_text labels,
			   double value);
	void (*add_histogram)(struct buf *out, const struct family *f, struct label_text labels,
			      struct histogram_sample sample);
	void (*end)(struct buf *out);
};

/* Prometheus text format 0.0.4. */
extern const struct exposition exposition_text;

/* Appends all of @families, which are in the order in which they are to appear. */
void exposition_render(const struct exposition *x, const struct family *const *families,
		       size_t count, struct buf *out);
