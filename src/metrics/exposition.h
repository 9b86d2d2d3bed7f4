/* SPDX-License-Identifier: MIT */
/*
 * The formats in which Prometheus takes metrics: one file each. A format is told one family after
 * the other, and of each its samples; it keeps no state and allocates nothing but room in the
 * buffer that it writes to. All say the same of the same families.
 */
#pragma once

#include <stdint.h>

#include "metrics/family.h"

enum exposition_format {
	EXPOSITION_TEXT,        /* Prometheus text format */
	EXPOSITION_OPENMETRICS, /* OpenMetrics 1.0.0, as text */
	EXPOSITION_PROTOBUF,    /* delimited io.prometheus.client.MetricFamily */
	EXPOSITION_FORMATS
};

/* What a histogram is made of: counts of each bucket alone (not cumulative), as many as
 * f->buckets->count, and the sum of what was observed, before the multiplier. */
struct histogram_sample {
	const uint64_t *counts;
	uint64_t sum;
};

/* @total + @count, or the most that fits: what a map holds may be anything, and cumulative counts
 * that fall would be no histogram. */
static inline uint64_t histogram_add(uint64_t total, uint64_t count)
{
	return __builtin_add_overflow(total, count, &total) ? UINT64_MAX : total;
}

/* All that is exposed, by name. */
struct family_list {
	const struct family *const *items;
	size_t count;
};

struct exposition {
	void (*begin_family)(struct buf *out, const struct family_list *all, size_t index);
	void (*add_uint)(struct buf *out, const struct family *f, struct label_text labels,
			 uint64_t value);
	void (*add_double)(struct buf *out, const struct family *f, struct label_text labels,
			   double value);
	void (*add_histogram)(struct buf *out, const struct family *f, struct label_text labels,
			      struct histogram_sample sample);
	/* @begin: where begin_family() began to write; NULL: there is nothing to do. */
	void (*end_family)(struct buf *out, size_t begin);
	void (*end)(struct buf *out); /* NULL: there is nothing to do */
};

extern const struct exposition exposition_text, exposition_openmetrics, exposition_protobuf;
extern const struct exposition *const expositions[EXPOSITION_FORMATS];

/* Appends all of @families. Of a family without samples nothing is said. */
void exposition_render(const struct exposition *x, struct family_list families, struct buf *out);
