// SPDX-License-Identifier: MIT
/*
 * The text format, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
 *
 * Samples are the hot part of a scrape: a line is a few memcpy of text that was rendered before,
 * and one integer.
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

/* A line has besides name, suffix, labels and bound: braces or a comma, a blank, a number, its
 * end. */
#define LINE_REST (3 + BUF_U64_DIGITS + 1)

/* A whole line: room is made once, then bytes go behind bytes. @le is for buckets, else NULL. */
static void add_line(struct buf *out, const struct family *f, const char *suffix,
		     struct label_text labels, const struct bucket_bound *le, uint64_t value)
{
	size_t name_len = strlen(f->name), suffix_len = strlen(suffix);
	char *at;

	if (!buf_reserve(out, name_len + suffix_len + labels.len + sizeof(le->text) + LINE_REST))
		return;
	at = mempcpy(out->data + out->len, f->name, name_len);
	at = mempcpy(at, suffix, suffix_len);
	if (labels.len || le)
		*at++ = '{';
	if (labels.len) {
		at = mempcpy(at, labels.text, labels.len);
		*at++ = le ? ',' : '}';
	}
	if (le)
		at = mempcpy(at, le->text, le->len);
	else
		*at++ = ' ';
	at = buf_put_u64(at, value);
	*at++ = '\n';
	out->len = (size_t)(at - out->data);
}

static void text_add_uint(struct buf *out, const struct family *f, struct label_text labels,
			  uint64_t value)
{
	add_line(out, f, "", labels, NULL, value);
}

static void add_double_line(struct buf *out, const struct family *f, const char *suffix,
			    struct label_text labels, double value)
{
	buf_add_str(out, f->name);
	buf_add_str(out, suffix);
	if (labels.len) {
		buf_add_char(out, '{');
		buf_add(out, labels.text, labels.len);
		buf_add_char(out, '}');
	}
	buf_add_char(out, ' ');
	buf_add_double(out, value);
	buf_add_char(out, '\n');
}

static void text_add_double(struct buf *out, const struct family *f, struct label_text labels,
			    double value)
{
	add_double_line(out, f, "", labels, value);
}

static void text_add_histogram(struct buf *out, const struct family *f, struct label_text labels,
			       struct histogram_sample sample)
{
	static const struct bucket_bound infinite = {.text = "le=\"+Inf\"} ",
						     .len = sizeof("le=\"+Inf\"} ") - 1};
	const struct buckets *b = f->buckets;
	uint64_t cumulative = 0;

	for (uint32_t i = 0, at = 0; i < b->n_bounds; i++) {
		while (at < b->bounds[i].end)
			cumulative += sample.counts[at++];
		add_line(out, f, "_bucket", labels, &b->bounds[i], cumulative);
	}
	add_line(out, f, "_bucket", labels, &infinite, cumulative);
	if (b->multiplier == 1)
		add_line(out, f, "_sum", labels, NULL, sample.sum);
	else
		add_double_line(out, f, "_sum", labels, (double)sample.sum * b->multiplier);
	add_line(out, f, "_count", labels, NULL, cumulative);
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
