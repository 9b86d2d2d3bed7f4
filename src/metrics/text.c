// SPDX-License-Identifier: MIT
/*
 * The text format, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
 *
 * Samples are the hot part of a scrape: a line is a few memcpy of text that was rendered before, and
 * one integer.
 */
#include "metrics/exposition.h"

static const char *const type_names[] = {
	[METRIC_COUNTER] = "counter",
	[METRIC_GAUGE] = "gauge",
	[METRIC_HISTOGRAM] = "histogram",
};

/* In help texts only backslash and newline are escaped. */
static void add_help(struct buf *out, const char *help)
{
	for (; *help; help++) {
		if (*help == '\\')
			buf_add_str(out, "\\\\");
		else if (*help == '\n')
			buf_add_str(out, "\\n");
		else
			buf_add_char(out, *help);
	}
}

static void text_begin_family(struct buf *out, const struct family *f)
{
	buf_add_str(out, "# HELP ");
	buf_add_str(out, f->name);
	buf_add_char(out, ' ');
	add_help(out, f->help);
	buf_add_str(out, "\n# TYPE ");
	buf_add_str(out, f->name);
	buf_add_char(out, ' ');
	buf_add_str(out, type_names[f->type]);
	buf_add_char(out, '\n');
}

/* name, suffix, {labels} and the blank before the value. */
static void add_series(struct buf *out, const struct family *f, const char *suffix,
		       struct label_text labels)
{
	buf_add_str(out, f->name);
	buf_add_str(out, suffix);
	if (labels.len) {
		buf_add_char(out, '{');
		buf_add(out, labels.text, labels.len);
		buf_add_char(out, '}');
	}
	buf_add_char(out, ' ');
}

static void text_add_uint(struct buf *out, const struct family *f, struct label_text labels,
			  uint64_t value)
{
	add_series(out, f, "", labels);
	buf_add_u64(out, value);
	buf_add_char(out, '\n');
}

static void text_add_double(struct buf *out, const struct family *f, struct label_text labels,
			    double value)
{
	add_series(out, f, "", labels);
	buf_add_double(out, value);
	buf_add_char(out, '\n');
}

static void add_bucket(struct buf *out, const struct family *f, struct label_text labels,
		       const char *le, size_t le_len, uint64_t cumulative)
{
	static const char bucket[] = "_bucket{";

	buf_add_str(out, f->name);
	buf_add(out, bucket, sizeof(bucket) - 1);
	if (labels.len) {
		buf_add(out, labels.text, labels.len);
		buf_add_char(out, ',');
	}
	buf_add(out, le, le_len);
	buf_add_u64(out, cumulative);
	buf_add_char(out, '\n');
}

static void text_add_histogram(struct buf *out, const struct family *f, struct label_text labels,
			       struct histogram_sample sample)
{
	static const char infinite[] = "le=\"+Inf\"} ";
	const struct buckets *b = f->buckets;
	uint64_t cumulative = 0;

	for (uint32_t i = 0; i < b->count; i++) {
		cumulative += sample.counts[i];
		add_bucket(out, f, labels, b->le[i].text, b->le[i].len, cumulative);
	}
	add_bucket(out, f, labels, infinite, sizeof(infinite) - 1, cumulative);
	add_series(out, f, "_sum", labels);
	if (b->multiplier == 1)
		buf_add_u64(out, sample.sum);
	else
		buf_add_double(out, (double)sample.sum * b->multiplier);
	buf_add_char(out, '\n');
	add_series(out, f, "_count", labels);
	buf_add_u64(out, cumulative);
	buf_add_char(out, '\n');
}

static void text_end(struct buf *out)
{
	(void)out;
}

const struct exposition exposition_text = {
	.content_type = "text/plain; version=0.0.4; charset=utf-8",
	.begin_family = text_begin_family,
	.add_uint = text_add_uint,
	.add_double = text_add_double,
	.add_histogram = text_add_histogram,
	.end = text_end,
};
