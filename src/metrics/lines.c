// SPDX-License-Identifier: MIT
/*
 * Samples are the hot part of a scrape: a line is a few memcpy of text that was rendered before,
 * and one integer.
 */
#include "metrics/lines.h"

/* What ends the text of a bound, and what it becomes when that is a whole number. */
#define BOUND_END        "\"} "
#define BOUND_WITH_POINT ".0" BOUND_END

/* A line has besides name, suffix, labels and bound: braces or a comma, a blank, a number, its
 * end. */
#define LINE_REST (3 + BUF_U64_DIGITS + 1)

static char *put_bound(char *at, const struct bucket_bound *le, bool points)
{
	at = mempcpy(at, le->text, le->len);
	if (points && le->whole)
		at = mempcpy(at - strlen(BOUND_END), BOUND_WITH_POINT, strlen(BOUND_WITH_POINT));
	return at;
}

/* A whole line: room is made once, then bytes go behind bytes. */
static void add_line(struct buf *out, const struct family *f, const char *suffix,
		     struct label_text labels, uint64_t value)
{
	size_t name_len = strlen(f->name), suffix_len = strlen(suffix);
	char *at;

	if (!buf_reserve(out, name_len + suffix_len + labels.len + LINE_REST))
		return;
	at = mempcpy(out->data + out->len, f->name, name_len);
	at = mempcpy(at, suffix, suffix_len);
	if (labels.len) {
		*at++ = '{';
		at = mempcpy(at, labels.text, labels.len);
		*at++ = '}';
	}
	*at++ = ' ';
	at = buf_put_u64(at, value);
	*at++ = '\n';
	out->len = (size_t)(at - out->data);
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

void lines_add_uint(struct buf *out, const struct family *f, struct label_text labels,
		    uint64_t value)
{
	add_line(out, f, "", labels, value);
}

void lines_add_double(struct buf *out, const struct family *f, struct label_text labels,
		      double value)
{
	add_double_line(out, f, "", labels, value);
}

/* name_bucket{labels, : what each bucket's line begins with. */
static char *put_bucket_prefix(char *at, const struct family *f, struct label_text labels)
{
	at = stpcpy(at, f->name);
	at = stpcpy(at, "_bucket{");
	if (labels.len) {
		at = mempcpy(at, labels.text, labels.len);
		*at++ = ',';
	}
	return at;
}

static void add_buckets(struct buf *out, const struct family *f, struct label_text labels,
			const uint64_t *counts, bool points, uint64_t *ret_count)
{
	static const struct bucket_bound infinite = {.text = "le=\"+Inf\"} ",
						     .len = sizeof("le=\"+Inf\"} ") - 1};
	size_t most = strlen(f->name) + strlen("_bucket{") + labels.len + strlen(",") +
		      sizeof(infinite.text) + strlen(".0") + LINE_REST;
	const struct buckets *b = f->buckets;
	uint64_t cumulative = 0;
	char *prefix, *at;
	size_t len;

	if (!buf_reserve(out, (b->n_bounds + 1) * most))
		return;
	prefix = out->data + out->len;
	at = put_bucket_prefix(prefix, f, labels);
	len = (size_t)(at - prefix);
	for (uint32_t i = 0, bucket = 0; i <= b->n_bounds; i++) {
		const struct bucket_bound *le = i < b->n_bounds ? &b->bounds[i] : &infinite;

		while (bucket < le->end)
			cumulative = histogram_add(cumulative, counts[bucket++]);
		if (i > 0)
			at = mempcpy(at, prefix, len);
		at = buf_put_u64(put_bound(at, le, points), cumulative);
		*at++ = '\n';
	}
	out->len = (size_t)(at - out->data);
	*ret_count = cumulative;
}

void lines_add_histogram(struct buf *out, const struct family *f, struct label_text labels,
			 struct histogram_sample sample, bool points)
{
	const struct buckets *b = f->buckets;
	uint64_t count = 0;

	add_buckets(out, f, labels, sample.counts, points, &count);
	if (b->multiplier == 1)
		add_line(out, f, "_sum", labels, sample.sum);
	else
		add_double_line(out, f, "_sum", labels, (double)sample.sum * b->multiplier);
	add_line(out, f, "_count", labels, count);
}

void lines_add_comment(struct buf *out, const char *kind, const char *name, size_t len,
		       const char *word)
{
	buf_add_str(out, "# ");
	buf_add_str(out, kind);
	buf_add_char(out, ' ');
	buf_add(out, name, len);
	buf_add_char(out, ' ');
	buf_add_str(out, word);
	buf_add_char(out, '\n');
}

void lines_add_help(struct buf *out, const char *name, size_t len, const char *help, bool quotes)
{
	buf_add_str(out, "# HELP ");
	buf_add(out, name, len);
	buf_add_char(out, ' ');
	for (; *help; help++) {
		if (*help == '\\' || (*help == '"' && quotes))
			buf_add_char(out, '\\');
		if (*help == '\n')
			buf_add_str(out, "\\n");
		else
			buf_add_char(out, *help);
	}
	buf_add_char(out, '\n');
}
