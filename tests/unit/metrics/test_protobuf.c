// SPDX-License-Identifier: MIT
/* Protocol buffers, byte by byte. tests/system/test_formats.py reads them with another's reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "families.h"

static void assert_bytes(struct test_family *families, size_t count, const char *expected,
			 size_t len)
{
	_cleanup_buf_ struct buf out = {0};

	render_all(&exposition_protobuf, families, count, &out);
	assert_int_equal(out.len, len);
	assert_memory_equal(out.data, expected, len);
	for (size_t i = 0; i < count; i++)
		family_close(&families[i]);
}

#define ASSERT_BYTES(families, count, expected)                                                    \
	assert_bytes(families, count, expected, sizeof(expected) - 1)

static void test_values(void **state)
{
	struct test_family families[3];

	(void)state;
	family_open(&families[0], "c_total", "hc", METRIC_COUNTER, one_uint);
	family_open(&families[1], "g_bytes", "", METRIC_GAUGE, one_uint);
	family_open(&families[2], "silent", "h", METRIC_GAUGE, no_samples);
	ASSERT_BYTES(families, 3,
		     "\x1c"
		     "\x0a\x07"
		     "c_total"
		     "\x12\x02"
		     "hc"
		     "\x18\0"
		     "\x22\x0b"
		     "\x1a\x09"
		     "\x09\0\0\0\0\0\0\xf0\x3f"
		     "\x21"
		     "\x0a\x07"
		     "g_bytes"
		     "\x12\0"
		     "\x18\1"
		     "\x2a\x05"
		     "bytes"
		     "\x22\x0b"
		     "\x12\x09"
		     "\x09\0\0\0\0\0\0\xf0\x3f");
}

static void test_labels(void **state)
{
	struct test_family f;

	(void)state;
	family_open(&f, "m", "h", METRIC_GAUGE, hostile_samples);
	ASSERT_BYTES(&f, 1,
		     "\x5a"
		     "\x0a\1m"
		     "\x12\1h"
		     "\x18\1"
		     "\x22\x27"
		     "\x0a\x13"
		     "\x0a\1a"
		     "\x12\x0e"
		     "x\"y\\z\n\xef\xbf\xbd\xef\xbf\xbd,}"
		     "\x0a\x05"
		     "\x0a\1b"
		     "\x12\0"
		     "\x12\x09"
		     "\x09\0\0\0\0\0\0\xf0\x43"
		     "\x22\x27"
		     "\x0a\x13"
		     "\x0a\1a"
		     "\x12\x0e"
		     "x\"y\\z\n\xef\xbf\xbd\xef\xbf\xbd,}"
		     "\x0a\x05"
		     "\x0a\1b"
		     "\x12\0"
		     "\x12\x09"
		     "\x09\0\0\0\0\0\0\xf0\xff");
}

static void test_classic_histogram(void **state)
{
	struct bucket_config config = {.type = BUCKET_EXP2, .min = 0, .max = 2, .multiplier = 0.5};
	struct test_family f;

	(void)state;
	histogram_open(&f, "h", &config, some_histograms);
	ASSERT_BYTES(&f, 1,
		     "\x9a\1"
		     "\x0a\1h"
		     "\x12\4help"
		     "\x18\4"
		     "\x22\x3c"
		     "\x0a\6"
		     "\x0a\1k"
		     "\x12\1v"
		     "\x3a\x32"
		     "\x08\7"
		     "\x11\0\0\0\0\0\0\x18\x40"
		     "\x1a\x0b"
		     "\x08\3"
		     "\x11\0\0\0\0\0\0\xe0\x3f"
		     "\x1a\x0b"
		     "\x08\3"
		     "\x11\0\0\0\0\0\0\xf0\x3f"
		     "\x1a\x0b"
		     "\x08\7"
		     "\x11\0\0\0\0\0\0\0\x40"
		     "\x22\x4f"
		     "\x3a\x4d"
		     "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"
		     "\x11\0\0\0\0\0\0\x18\x40"
		     "\x1a\x0b"
		     "\x08\1"
		     "\x11\0\0\0\0\0\0\xe0\x3f"
		     "\x1a\x14"
		     "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"
		     "\x11\0\0\0\0\0\0\xf0\x3f"
		     "\x1a\x14"
		     "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"
		     "\x11\0\0\0\0\0\0\0\x40");
}

/* Keys 0 … 15 of schema 1, in units of 2^-2: bucket 1 is Prometheus's 0 - 2·2^1. */
static const struct bucket_config native = {.type = BUCKET_NATIVE,
					    .max = 15,
					    .multiplier = 0.25,
					    .schema = 1};

static uint64_t native_counts[16];

static void native_sample(const struct family *f, const struct exposition *x, struct buf *out)
{
	x->add_histogram(out, f, (struct label_text){0},
			 (struct histogram_sample){native_counts, 40});
}

/* What comes behind the classic buckets. */
static void assert_native(const struct bucket_config *config, const char *expected, size_t len)
{
	_cleanup_buf_ struct buf out = {0};
	struct test_family f;

	histogram_open(&f, "h", config, native_sample);
	render_all(&exposition_protobuf, &f, 1, &out);
	assert_true(out.len > len);
	assert_memory_equal(out.data + out.len - len, expected, len);
	family_close(&f);
	memset(native_counts, 0, sizeof(native_counts));
}

#define ASSERT_NATIVE(config, expected) assert_native(config, expected, sizeof(expected) - 1)

static void test_native_without_observations(void **state)
{
	(void)state;
	/* A threshold above 0 says that the histogram is a native one. */
	ASSERT_NATIVE(&native, "\x28\2"
			       "\x31\0\0\0\0\0\0\xf0\x37"
			       "\x38\0");
}

static void test_native_spans(void **state)
{
	(void)state;
	native_counts[0] = 9;
	native_counts[3] = 5; /* Prometheus's bucket 2 - 4 */
	native_counts[4] = 3;
	native_counts[7] = 200; /* two empty ones do not end a span */
	native_counts[11] = 1;  /* three do */
	native_counts[15] = 1;
	ASSERT_NATIVE(&native, "\x28\2"
			       "\x31\0\0\0\0\0\0\xf0\x37"
			       "\x38\x09"
			       "\x62\4\x08\3\x10\5"
			       "\x68\x0a\x68\3\x68\5\x68\0\x68\x90\3"
			       "\x62\4\x08\6\x10\1"
			       "\x68\x8d\3"
			       "\x62\4\x08\6\x10\1"
			       "\x68\0");
}

/* bucket_min: the lowest bucket has all up to its bound. */
static void test_native_zero_threshold(void **state)
{
	struct bucket_config config = native;

	(void)state;
	config.min = 5; /* 2^(4/2) units of 2^-2 */
	native_counts[0] = 7;
	native_counts[1] = 1; /* Prometheus's bucket 1 */
	ASSERT_NATIVE(&config, "\x28\2"
			       "\x31\0\0\0\0\0\0\xf0\x3f"
			       "\x38\7"
			       "\x62\4\x08\2\x10\1"
			       "\x68\2");
}

/* Readers count in int64_t. */
static void test_native_beyond_int64(void **state)
{
	(void)state;
	native_counts[0] = 1;
	native_counts[4] = UINT64_MAX;
	native_counts[5] = UINT64_MAX;
	ASSERT_NATIVE(&native, "\x28\2"
			       "\x31\0\0\0\0\0\0\xf0\x37"
			       "\x21\0\0\0\0\0\0\0\x44"
			       "\x41\0\0\0\0\0\0\xf0\x3f"
			       "\x62\4\x08\1\x10\2"
			       "\x71\0\0\0\0\0\0\xf0\x43"
			       "\x71\0\0\0\0\0\0\xf0\x43");
	native_counts[4] = INT64_MAX;
	ASSERT_NATIVE(&native, "\x28\2"
			       "\x31\0\0\0\0\0\0\xf0\x37"
			       "\x38\0"
			       "\x62\4\x08\1\x10\1"
			       "\x68\xfe\xff\xff\xff\xff\xff\xff\xff\xff\1");
}

/* How long the label of the samples below is. */
static size_t label_len;

static void long_label(const struct family *f, const struct exposition *x, struct buf *out)
{
	_cleanup_buf_ struct buf labels = {0};
	_cleanup_free_ char *value = calloc(1, label_len + 1);

	memset(value, 'v', label_len);
	label_text_add(&labels, "l", value, label_len);
	x->add_uint(out, f, (struct label_text){labels.data, labels.len}, 1);
}

/* Reads a length; the bytes that it takes. */
static size_t read_length(const struct buf *b, size_t at, size_t *ret)
{
	size_t i = 0;

	*ret = 0;
	do
		*ret |= (size_t)(b->data[at + i] & 0x7f) << 7 * i;
	while (b->data[at + i++] & 0x80);
	return i;
}

/* Where a message takes more or fewer bytes for its length than the room that was left for it. */
static void test_lengths(void **state)
{
	static const size_t lens[] = {0,     1,     100,     120,     121,    122,   123,
				      124,   125,   126,     127,     128,    16000, 16360,
				      16384, 16400, 1 << 20, 2097100, 2097152};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		_cleanup_buf_ struct buf out = {0};
		struct test_family families[2];
		size_t family, metric, label, at;

		label_len = lens[i];
		family_open(&families[0], "m", "", METRIC_GAUGE, long_label);
		family_open(&families[1], "n", "", METRIC_GAUGE, one_uint);
		render_all(&exposition_protobuf, families, 2, &out);
		at = read_length(&out, 0, &family);
		assert_memory_equal(out.data + at, "\x0a\1m\x12\0\x18\1\x22", 8);
		assert_memory_equal(out.data + at + family, "\x14\x0a\1n", 4);
		at += 8;
		at += read_length(&out, at, &metric);
		assert_int_equal(out.data[at++], 0x0a);
		at += read_length(&out, at, &label);
		assert_memory_equal(out.data + at, "\x0a\1l\x12", 4);
		assert_memory_equal(out.data + at + label, "\x12\x09\x09\0\0\0\0\0\0\xf0\x3f", 11);
		assert_int_equal(out.data[at + label - 1], lens[i] ? 'v' : 0);
		family_close(&families[0]);
		family_close(&families[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_classic_histogram),
		cmocka_unit_test(test_native_without_observations),
		cmocka_unit_test(test_native_spans),
		cmocka_unit_test(test_native_zero_threshold),
		cmocka_unit_test(test_native_beyond_int64),
		cmocka_unit_test(test_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
