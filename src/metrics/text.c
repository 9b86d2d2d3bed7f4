// SPDX-License-Identifier: MIT
/* The text format, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/ */
#include "metrics/lines.h"

static const char *const type_names[] = {
	[METRIC_COUNTER] = "counter",
	[METRIC_GAUGE] = "gauge",
	[METRIC_HISTOGRAM] = "histogram",
};

static void text_begin_family(struct buf *out, const struct family_list *all, size_t index)
{
	const struct family *f = all->items[index];
	size_t len = strlen(f->name);

	lines_add_help(out, f->name, len, f->help, false);
	lines_add_comment(out, "TYPE", f->name, len, type_names[f->type]);
}

static void text_add_histogram(struct buf *out, const struct family *f, struct label_text labels,
			       struct histogram_sample sample)
{
	lines_add_histogram(out, f, labels, sample, false);
}

const struct exposition exposition_text = {
	.begin_family = text_begin_family,
	.add_uint = lines_add_uint,
	.add_double = lines_add_double,
	.add_histogram = text_add_histogram,
};
