// SPDX-License-Identifier: MIT
/*
 * Protocol buffers: each family is an io.prometheus.client.MetricFamily with its length in front.
 * https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto
 * https://protobuf.dev/programming-guides/encoding/
 *
 * The length of a message stands before the message. Room for it is left, and where that turns out
 * not to be what it takes, the message is moved: that costs less than measuring it beforehand, and
 * a family of megabytes is never moved, since its room is what such a length takes.
 */
#include <endian.h>
#include <math.h>

#include "metrics/exposition.h"

/* A field's tag: its number and how its value is written. */
#define TAG_VARINT(field)  ((char)((field) << 3 | 0))
#define TAG_FIXED64(field) ((char)((field) << 3 | 1))
#define TAG_LEN(field)     ((char)((field) << 3 | 2))

/* Field numbers of metrics.proto, by message. */
enum { PB_FAMILY_NAME = 1, PB_FAMILY_HELP, PB_FAMILY_TYPE, PB_FAMILY_METRIC, PB_FAMILY_UNIT };
enum { PB_METRIC_LABEL = 1, PB_METRIC_GAUGE, PB_METRIC_COUNTER, PB_METRIC_HISTOGRAM = 7 };
enum { PB_LABEL_NAME = 1, PB_LABEL_VALUE };
enum { PB_VALUE_NUMBER = 1 }; /* of Counter and Gauge */
enum {
	PB_HISTOGRAM_COUNT = 1,
	PB_HISTOGRAM_SUM = 2,
	PB_HISTOGRAM_BUCKET = 3,
	PB_HISTOGRAM_COUNT_FLOAT = 4,
	PB_HISTOGRAM_SCHEMA = 5,
	PB_HISTOGRAM_ZERO_THRESHOLD = 6,
	PB_HISTOGRAM_ZERO_COUNT = 7,
	PB_HISTOGRAM_ZERO_COUNT_FLOAT = 8,
	PB_HISTOGRAM_SPAN = 12,
	PB_HISTOGRAM_DELTA = 13,
	PB_HISTOGRAM_NUMBER = 14,
};
enum { PB_SPAN_OFFSET = 1, PB_SPAN_LENGTH };
enum { PB_BUCKET_CUMULATIVE_COUNT = 1, PB_BUCKET_UPPER_BOUND };

/* Bytes that the lengths of most such messages take. */
enum { SPAN_ROOM = 1, BUCKET_ROOM = 1, METRIC_ROOM = 2, HISTOGRAM_ROOM = 2, FAMILY_ROOM = 4 };

#define VARINT_MAX 10

/* MetricType of metrics.proto. */
static const char types[] = {
	[METRIC_COUNTER] = 0,
	[METRIC_GAUGE] = 1,
	[METRIC_HISTOGRAM] = 4,
};

/* Which field of Metric has the value. */
static const char value_fields[] = {
	[METRIC_COUNTER] = PB_METRIC_COUNTER,
	[METRIC_GAUGE] = PB_METRIC_GAUGE,
};

/* ---- the encoding ---- */

/* Writes @n at @to, which has room for VARINT_MAX; gives back the end. */
static char *put_varint(char *to, uint64_t n)
{
	for (; n >= 0x80; n >>= 7)
		*to++ = (char)(n | 0x80);
	*to++ = (char)n;
	return to;
}

static char *put_fixed64(char *to, double d)
{
	uint64_t bits;

	memcpy(&bits, &d, sizeof(bits));
	bits = htole64(bits);
	return mempcpy(to, &bits, sizeof(bits));
}

static void add_varint(struct buf *out, char tag, uint64_t n)
{
	char *at;

	if (!buf_reserve(out, 1 + VARINT_MAX))
		return;
	at = out->data + out->len;
	*at++ = tag;
	out->len = (size_t)(put_varint(at, n) - out->data);
}

/* Of type sint32 and sint64: small ones take few bytes also below 0. */
static void add_sint(struct buf *out, char tag, int64_t n)
{
	add_varint(out, tag, (uint64_t)n << 1 ^ (n < 0 ? UINT64_MAX : 0));
}

static void add_double(struct buf *out, char tag, double d)
{
	char *at;

	if (!buf_reserve(out, 1 + sizeof(d)))
		return;
	at = out->data + out->len;
	*at++ = tag;
	out->len = (size_t)(put_fixed64(at, d) - out->data);
}

static void add_bytes(struct buf *out, char tag, const char *bytes, size_t len)
{
	add_varint(out, tag, len);
	buf_add(out, bytes, len);
}

static void add_string(struct buf *out, char tag, const char *s)
{
	add_bytes(out, tag, s, strlen(s));
}

/* Leaves @room for the length of a message that begins now; gives back where that is, for
 * end_message(). */
static size_t begin_message(struct buf *out, size_t room)
{
	size_t begin = out->len;

	if (buf_reserve(out, room))
		out->len += room;
	return begin;
}

static void end_message(struct buf *out, size_t begin, size_t room)
{
	size_t len = out->len - begin - room, takes;
	char length[VARINT_MAX];

	takes = (size_t)(put_varint(length, len) - length);
	if (!buf_reserve(out, takes))
		return;
	if (takes != room)
		memmove(out->data + begin + takes, out->data + begin + room, len);
	memcpy(out->data + begin, length, takes);
	out->len = begin + takes + len;
}

/* ---- metrics ---- */

/* Writes at @to what label_text_add() has escaped; gives back the end. */
static char *put_unescaped(char *to, const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		bool escaped = *text == '\\';

		text += escaped;
		*to++ = escaped && *text == 'n' ? '\n' : *text;
		text++;
	}
	return to;
}

static size_t varint_len(uint64_t n)
{
	return (70 - (size_t)__builtin_clzll(n | 1)) / 7;
}

/* Most of what is written are labels: their lengths are known, and room is made once. */
static void add_label(struct buf *out, const struct label_pair *label)
{
	size_t value_len = label->value_len - label->escapes;
	size_t len = 1 + varint_len(label->name_len) + label->name_len + 1 + varint_len(value_len) +
		     value_len;
	char *at;

	if (!buf_reserve(out, 1 + VARINT_MAX + len))
		return;
	at = out->data + out->len;
	*at++ = TAG_LEN(PB_METRIC_LABEL);
	at = put_varint(at, len);
	*at++ = TAG_LEN(PB_LABEL_NAME);
	at = put_varint(at, label->name_len);
	at = mempcpy(at, label->name, label->name_len);
	*at++ = TAG_LEN(PB_LABEL_VALUE);
	at = put_varint(at, value_len);
	at = label->escapes ? put_unescaped(at, label->value, label->value_len)
			    : mempcpy(at, label->value, label->value_len);
	out->len = (size_t)(at - out->data);
}

static void add_labels(struct buf *out, struct label_text labels)
{
	struct label_pair label;

	while (label_text_next(&labels, &label))
		add_label(out, &label);
}

static size_t begin_metric(struct buf *out, struct label_text labels)
{
	size_t begin;

	buf_add_char(out, TAG_LEN(PB_FAMILY_METRIC));
	begin = begin_message(out, METRIC_ROOM);
	add_labels(out, labels);
	return begin;
}

static void protobuf_add_double(struct buf *out, const struct family *f, struct label_text labels,
				double value)
{
	size_t begin = begin_metric(out, labels);

	buf_add_char(out, TAG_LEN(value_fields[f->type]));
	buf_add_char(out, 1 + sizeof(value));
	add_double(out, TAG_FIXED64(PB_VALUE_NUMBER), value);
	end_message(out, begin, METRIC_ROOM);
}

static void protobuf_add_uint(struct buf *out, const struct family *f, struct label_text labels,
			      uint64_t value)
{
	protobuf_add_double(out, f, labels, (double)value);
}

static void add_bucket(struct buf *out, uint64_t cumulative, double upper_bound)
{
	size_t begin;

	buf_add_char(out, TAG_LEN(PB_HISTOGRAM_BUCKET));
	begin = begin_message(out, BUCKET_ROOM);
	add_varint(out, TAG_VARINT(PB_BUCKET_CUMULATIVE_COUNT), cumulative);
	add_double(out, TAG_FIXED64(PB_BUCKET_UPPER_BOUND), upper_bound);
	end_message(out, begin, BUCKET_ROOM);
}

/* The bucket of +Inf is the count. */
static void add_classic_buckets(struct buf *out, const struct buckets *b, const uint64_t *counts)
{
	uint64_t cumulative = 0;

	for (uint32_t i = 0, at = 0; i < b->n_bounds; i++) {
		while (at < b->bounds[i].end)
			cumulative = histogram_add(cumulative, counts[at++]);
		add_bucket(out, cumulative, b->bounds[i].value);
	}
}

/* ---- native histograms ---- */

/*
 * Empty buckets in a row that end a span. The next span takes more bytes than they would.
 * github.com/prometheus/client_golang, histogram.go, does the same.
 */
#define GAP_MIN 3

/* Buckets @begin … @end - 1, the first and the last of them not empty. */
struct run {
	uint32_t begin, end;
};

/* The next run at or behind bucket @at; false when there is none. */
static bool find_run(const struct buckets *b, const uint64_t *counts, uint32_t at, struct run *ret)
{
	while (at < b->count && counts[at] == 0)
		at++;
	if (at == b->count)
		return false;
	ret->begin = at;
	for (ret->end = at + 1; at < b->count && at < ret->end + GAP_MIN; at++) {
		if (counts[at])
			ret->end = at + 1;
	}
	return true;
}

static void add_span(struct buf *out, int32_t offset, uint32_t length)
{
	size_t begin;

	buf_add_char(out, TAG_LEN(PB_HISTOGRAM_SPAN));
	begin = begin_message(out, SPAN_ROOM);
	add_sint(out, TAG_VARINT(PB_SPAN_OFFSET), offset);
	add_varint(out, TAG_VARINT(PB_SPAN_LENGTH), length);
	end_message(out, begin, SPAN_ROOM);
}

/* Each bucket as its difference to the one before: spans and their buckets take turns, as the order
 * of fields is free. Gives back the last. */
static uint64_t add_deltas(struct buf *out, const uint64_t *counts, struct run run, uint64_t before)
{
	for (uint32_t i = run.begin; i < run.end; i++) {
		add_sint(out, TAG_VARINT(PB_HISTOGRAM_DELTA), (int64_t)(counts[i] - before));
		before = counts[i];
	}
	return before;
}

static void add_numbers(struct buf *out, const uint64_t *counts, struct run run)
{
	for (uint32_t i = run.begin; i < run.end; i++)
		add_double(out, TAG_FIXED64(PB_HISTOGRAM_NUMBER), (double)counts[i]);
}

/* @floats: the counts as floating-point numbers. */
static void add_native_buckets(struct buf *out, const struct buckets *b, const uint64_t *counts,
			       bool floats)
{
	struct run run = {1, 1}; /* behind the zero bucket */
	uint64_t before = 0;
	uint32_t end = 1;

	while (find_run(b, counts, run.end, &run)) {
		int32_t gap = (int32_t)(run.begin - end);

		add_span(out, end == 1 ? b->first_index + gap : gap, run.end - run.begin);
		end = run.end;
		if (floats)
			add_numbers(out, counts, run);
		else
			before = add_deltas(out, counts, run, before);
	}
}

static double count_all_float(const struct buckets *b, const uint64_t *counts)
{
	double total = 0;

	for (uint32_t i = 0; i < b->count; i++)
		total += (double)counts[i];
	return total;
}

/* What counts as zero. Where that is the value 0 alone, it is told as a bound that no value is
 * under, the one that Prometheus's own clients have: a threshold of 0 would make a classic
 * histogram of one that has no observations yet. */
static double zero_threshold(const struct buckets *b)
{
	return b->zero_threshold > 0 ? b->zero_threshold : fmin(0x1p-128, b->multiplier / 2);
}

/* Prometheus counts in int64_t; with more than that it is a histogram of floating-point numbers. */
static void add_native(struct buf *out, const struct buckets *b, const uint64_t *counts,
		       uint64_t total)
{
	bool floats = total > INT64_MAX;

	add_sint(out, TAG_VARINT(PB_HISTOGRAM_SCHEMA), (int64_t)b->schema);
	add_double(out, TAG_FIXED64(PB_HISTOGRAM_ZERO_THRESHOLD), zero_threshold(b));
	if (floats) {
		add_double(out, TAG_FIXED64(PB_HISTOGRAM_COUNT_FLOAT), count_all_float(b, counts));
		add_double(out, TAG_FIXED64(PB_HISTOGRAM_ZERO_COUNT_FLOAT), (double)counts[0]);
	} else {
		add_varint(out, TAG_VARINT(PB_HISTOGRAM_ZERO_COUNT), counts[0]);
	}
	add_native_buckets(out, b, counts, floats);
}

static uint64_t count_all(const struct buckets *b, const uint64_t *counts)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < b->count; i++)
		total = histogram_add(total, counts[i]);
	return total;
}

/* Native ones are classic ones as well: it is the reader's choice which to keep. */
static void protobuf_add_histogram(struct buf *out, const struct family *f,
				   struct label_text labels, struct histogram_sample sample)
{
	const struct buckets *b = f->buckets;
	uint64_t total = count_all(b, sample.counts);
	size_t metric = begin_metric(out, labels), histogram;

	buf_add_char(out, TAG_LEN(PB_METRIC_HISTOGRAM));
	histogram = begin_message(out, HISTOGRAM_ROOM);
	add_varint(out, TAG_VARINT(PB_HISTOGRAM_COUNT), total);
	add_double(out, TAG_FIXED64(PB_HISTOGRAM_SUM), (double)sample.sum * b->multiplier);
	add_classic_buckets(out, b, sample.counts);
	if (b->native)
		add_native(out, b, sample.counts, total);
	end_message(out, histogram, HISTOGRAM_ROOM);
	end_message(out, metric, METRIC_ROOM);
}

/* ---- families ---- */

/* The unit may stand before the metrics: the order of fields is free. */
static void protobuf_begin_family(struct buf *out, const struct family_list *all, size_t index)
{
	const struct family *f = all->items[index];
	const char *unit = family_unit(f->name, family_base_len(f));

	begin_message(out, FAMILY_ROOM);
	add_string(out, TAG_LEN(PB_FAMILY_NAME), f->name);
	add_string(out, TAG_LEN(PB_FAMILY_HELP), f->help);
	add_varint(out, TAG_VARINT(PB_FAMILY_TYPE), (uint64_t)types[f->type]);
	if (unit)
		add_string(out, TAG_LEN(PB_FAMILY_UNIT), unit);
}

static void protobuf_end_family(struct buf *out, size_t begin)
{
	end_message(out, begin, FAMILY_ROOM);
}

const struct exposition exposition_protobuf = {
	.begin_family = protobuf_begin_family,
	.add_uint = protobuf_add_uint,
	.add_double = protobuf_add_double,
	.add_histogram = protobuf_add_histogram,
	.end_family = protobuf_end_family,
};
