// SPDX-License-Identifier: MIT
/*
 * Labels and numbers of any bytes through all formats. What comes out as text and as protobuf is
 * read again, by readers that have nothing in common with the writers, and must be the same.
 *
 *	input: 8 bytes for each of NUMBERS numbers, then the values of labels, NUL between them
 */
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "metrics/exposition.h"

enum { LABELS_MAX = 4, NUMBERS = 10 };

/* What is exposed. */
struct sample {
	uint64_t numbers[NUMBERS];
	struct buf labels;
};

/* What is read: labels as name=value, each with a NUL behind it, and numbers. */
struct reading {
	struct buf labels;
	double numbers[NUMBERS + 2];
	size_t n_numbers;
};

static void add_label(struct sample *s, size_t index, const uint8_t *value, size_t len)
{
	char name[] = {'l', (char)('0' + index), '\0'};

	label_text_add(&s->labels, name, (const char *)value, len);
}

static void take_sample(struct sample *s, const uint8_t *data, size_t size)
{
	size_t n = MIN(size, sizeof(s->numbers));

	if (n)
		memcpy(s->numbers, data, n);
	data += n;
	size -= n;
	/* The last may hold NUL as well. */
	for (size_t i = 0; size && i < LABELS_MAX; i++) {
		const uint8_t *end = i + 1 < LABELS_MAX ? memchr(data, 0, size) : NULL;
		size_t len = end ? (size_t)(end - data) : size;

		add_label(s, i, data, len);
		len += end != NULL;
		data += len;
		size -= len;
	}
}

static void add_samples(const struct family *f, const struct exposition *x, struct buf *out)
{
	const struct sample *s = f->ctx;
	struct label_text labels = {s->labels.data, s->labels.len};

	if (f->type == METRIC_HISTOGRAM)
		x->add_histogram(out, f, labels,
				 (struct histogram_sample){s->numbers, s->numbers[NUMBERS - 1]});
	else
		x->add_uint(out, f, labels, s->numbers[0]);
}

static void read_number(struct reading *r, double number)
{
	assert(r->n_numbers < ARRAY_SIZE(r->numbers));
	r->numbers[r->n_numbers++] = number;
}

/* ---- text ---- */

/* One label at @at, which is not the bound of a bucket; gives back what is behind it. */
static const char *read_text_label(struct reading *r, const char *at)
{
	size_t name = strcspn(at, "=");

	buf_add(&r->labels, at, name + 1);
	at += name + 1;
	assert(*at == '"');
	at++;
	for (; *at != '"'; at++) {
		assert(*at != '\n' && *at != '\0');
		if (*at != '\\') {
			buf_add_char(&r->labels, *at);
			continue;
		}
		at++;
		assert(*at == '\\' || *at == '"' || *at == 'n');
		buf_add_char(&r->labels, *at == 'n' ? '\n' : *at);
	}
	buf_add_char(&r->labels, '\0');
	return at + 1;
}

static const char *skip_bound(const char *at)
{
	return strchr(at + strlen("le=\""), '"') + 1;
}

/* One line; the labels of the first only. */
static const char *read_text_line(struct reading *r, const char *at)
{
	struct reading ignored = {0};
	struct reading *to = r->n_numbers ? &ignored : r;
	char *end;

	at += strcspn(at, "{ ");
	if (*at == '{') {
		do {
			at++;
			at = strncmp(at, "le=", 3) == 0 ? skip_bound(at) : read_text_label(to, at);
		} while (*at == ',');
		assert(*at == '}');
		at++;
	}
	assert(*at == ' ');
	read_number(r, strtod(at + 1, &end));
	assert(*end == '\n');
	buf_free(&ignored.labels);
	return end + 1;
}

static void read_text(struct reading *r, const char *text)
{
	while (*text) {
		if (*text == '#')
			text = strchr(text, '\n') + 1;
		else
			text = read_text_line(r, text);
	}
}

/* ---- protobuf ---- */

struct bytes {
	const uint8_t *at, *end;
};

static uint64_t read_varint(struct bytes *b)
{
	uint64_t n = 0;

	for (unsigned shift = 0;; shift += 7) {
		assert(b->at < b->end && shift < 64);
		n |= (uint64_t)(*b->at & 0x7f) << shift;
		if (!(*b->at++ & 0x80))
			return n;
	}
}

static double read_double(struct bytes *b)
{
	double d;

	assert(b->end - b->at >= (ptrdiff_t)sizeof(d));
	memcpy(&d, b->at, sizeof(d));
	b->at += sizeof(d);
	return d;
}

static struct bytes read_bytes(struct bytes *b)
{
	size_t len = read_varint(b);
	struct bytes inner = {b->at, b->at + len};

	assert(len <= (size_t)(b->end - b->at));
	b->at += len;
	return inner;
}

/* A field; its content in one of the three. */
struct pb_field {
	unsigned number;
	uint64_t varint;
	double fixed;
	struct bytes bytes;
};

static bool read_field(struct bytes *b, struct pb_field *ret)
{
	uint64_t tag;

	if (b->at == b->end)
		return false;
	tag = read_varint(b);
	*ret = (struct pb_field){.number = (unsigned)(tag >> 3)};
	switch (tag & 7) {
	case 0:
		ret->varint = read_varint(b);
		return true;
	case 1:
		ret->fixed = read_double(b);
		return true;
	default:
		assert((tag & 7) == 2);
		ret->bytes = read_bytes(b);
		return true;
	}
}

static void read_pb_label(struct reading *r, struct bytes label)
{
	struct pb_field f;

	while (read_field(&label, &f)) {
		buf_add(&r->labels, f.bytes.at, (size_t)(f.bytes.end - f.bytes.at));
		buf_add_char(&r->labels, f.number == 1 ? '=' : '\0');
	}
}

/* Buckets, then sum and count, as the lines of text are. */
static void read_pb_histogram(struct reading *r, struct bytes histogram)
{
	double count = 0, sum = 0;
	struct pb_field f;

	while (read_field(&histogram, &f)) {
		struct pb_field bucket;

		if (f.number == 1)
			count = (double)f.varint;
		else if (f.number == 2)
			sum = f.fixed;
		else if (f.number == 3 && read_field(&f.bytes, &bucket))
			read_number(r, (double)bucket.varint);
	}
	read_number(r, count); /* +Inf */
	read_number(r, sum);
	read_number(r, count);
}

static void read_pb_metric(struct reading *r, struct bytes metric)
{
	struct pb_field f, value;

	while (read_field(&metric, &f)) {
		if (f.number == 1)
			read_pb_label(r, f.bytes);
		else if (f.number == 7)
			read_pb_histogram(r, f.bytes);
		else if (read_field(&f.bytes, &value))
			read_number(r, value.fixed);
	}
}

static void read_protobuf(struct reading *r, struct bytes body)
{
	struct bytes family = read_bytes(&body);
	struct pb_field f;

	assert(body.at == body.end);
	while (read_field(&family, &f)) {
		if (f.number == 4)
			read_pb_metric(r, f.bytes);
	}
}

/* ---- both ---- */

static void assert_same(const struct reading *a, const struct reading *b)
{
	assert(a->n_numbers == b->n_numbers);
	assert(memcmp(a->numbers, b->numbers, a->n_numbers * sizeof(*a->numbers)) == 0);
	assert(a->labels.len == b->labels.len);
	assert(a->labels.len == 0 || memcmp(a->labels.data, b->labels.data, a->labels.len) == 0);
}

static void assert_utf8(const struct buf *b)
{
	for (size_t at = 0, n; at < b->len; at += n) {
		n = utf8_sequence(b->data + at, b->len - at);
		assert(n > 0);
	}
}

static void render(const struct family *f, const struct exposition *x, struct buf *out)
{
	exposition_render(x, (struct family_list){&f, 1}, out);
}

static void check_family(struct family *f)
{
	_cleanup_buf_ struct buf text = {0}, openmetrics = {0}, protobuf = {0};
	struct reading as_text = {0}, as_openmetrics = {0}, as_protobuf = {0};

	render(f, &exposition_text, &text);
	render(f, &exposition_openmetrics, &openmetrics);
	render(f, &exposition_protobuf, &protobuf);
	assert_utf8(&text);
	read_text(&as_text, buf_str(&text));
	read_text(&as_openmetrics, buf_str(&openmetrics));
	read_protobuf(&as_protobuf, (struct bytes){(const uint8_t *)protobuf.data,
						   (const uint8_t *)protobuf.data + protobuf.len});
	assert_same(&as_text, &as_openmetrics);
	assert_same(&as_text, &as_protobuf);
	buf_free(&as_text.labels);
	buf_free(&as_openmetrics.labels);
	buf_free(&as_protobuf.labels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct bucket_config configs[] = {
		{.type = BUCKET_EXP2, .max = NUMBERS - 2, .multiplier = 1e-6},
		{.type = BUCKET_NATIVE, .max = NUMBERS - 2, .schema = 3, .classic_schema = 3},
	};
	struct sample sample = {0};
	struct family gauge, histogram;

	take_sample(&sample, data, size);
	if (family_init(&gauge, "", "g", "", METRIC_GAUGE) ||
	    family_init(&histogram, "", "h_seconds", "", METRIC_HISTOGRAM))
		abort();
	gauge.samples = histogram.samples = add_samples;
	gauge.ctx = histogram.ctx = &sample;
	check_family(&gauge);
	for (size_t i = 0; i < ARRAY_SIZE(configs); i++) {
		struct buckets buckets;

		if (buckets_init(&buckets, &configs[i]))
			abort();
		histogram.buckets = &buckets;
		check_family(&histogram);
		buckets_free(&buckets);
	}
	family_free(&gauge);
	family_free(&histogram);
	buf_free(&sample.labels);
	return 0;
}
