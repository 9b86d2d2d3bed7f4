// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config_text.h"
#include "metrics/tally.h"

DEFINE_CLEANUP(struct config *, config_free)

#define LABEL(name, size, more) "{name: " name ", size: " size ", decoders: [{name: uint}]" more "}"

static void init(struct tally *t, const char *counter)
{
	_cleanup_(config_free_p) struct config *c = NULL;
	char text[1024];

	snprintf(text, sizeof(text), "metrics: {counters: [{name: a, %s}]}", counter);
	c = config_from_text(text);
	assert_int_equal(tally_init(t, &c->metrics.items[0]), 0);
}

static enum tally_result add(struct tally *t, const void *record, size_t len)
{
	return tally_add(t, record, len, ROUND_UP(len, (size_t)8));
}

static uint64_t number(const struct tally *t, const void *key, size_t value)
{
	uint32_t index = table_find(&t->keys, key);

	assert_int_not_equal(index, TABLE_NONE);
	return t->numbers[index * t->n_values + value];
}

/* How many keys there are to be read, one by one. */
static unsigned count(const struct tally *t)
{
	unsigned n = 0;

	for (uint32_t at = 0; tally_next(t, &at, 1); at++)
		n++;
	return n;
}

static void test_each_record_counts_1(void **state)
{
	const uint32_t keys[] = {7, 8, 7, 7, 9, 8};
	struct tally t;

	(void)state;
	init(&t, "labels: [" LABEL("l", "4", "") "]");
	assert_int_equal(t.record_size, 4);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		assert_int_equal(add(&t, &keys[i], 4), TALLY_ADDED);
	assert_int_equal(number(&t, &keys[0], 0), 3);
	assert_int_equal(number(&t, &keys[1], 0), 2);
	assert_int_equal(count(&t), 3);
	tally_clear(&t);
	assert_int_equal(count(&t), 0);
	assert_int_equal(add(&t, &keys[0], 4), TALLY_ADDED);
	assert_int_equal(number(&t, &keys[0], 0), 1);
	tally_free(&t);
}

static void test_lengths(void **state)
{
	uint8_t record[32] = {0};
	struct tally t;

	(void)state;
	init(&t, "labels: [" LABEL("l", "4", "") ", " LABEL("m", "2", ", padding: 1") "]");
	assert_int_equal(t.record_size, 7);
	for (size_t len = 0; len < sizeof(record); len++)
		assert_int_equal(tally_add(&t, record, len, 12),
				 len < 7 || len > 12 ? TALLY_MALFORMED : TALLY_ADDED);
	assert_int_equal(number(&t, record, 0), 12 - 7 + 1);
	tally_free(&t);
}

static void test_pads_make_no_key(void **state)
{
	uint8_t record[8], key[8] = {1, 0, 0, 0, 2, 2, 3, 0};
	struct tally t;

	(void)state;
	init(&t, "labels: [" LABEL("a", "1", ", padding: 3") ", " LABEL("b", "2", "") ", " LABEL(
			 "c", "1", ", padding: 1") "]");
	for (int garbage = 0; garbage < 256; garbage++) {
		memset(record, garbage, sizeof(record));
		record[0] = 1;
		record[4] = record[5] = 2;
		record[6] = 3;
		assert_int_equal(add(&t, record, sizeof(record)), TALLY_ADDED);
	}
	assert_int_equal(count(&t), 1);
	assert_int_equal(number(&t, key, 0), 256);
	tally_free(&t);
}

static void test_without_labels(void **state)
{
	const uint32_t zero = 0;
	struct tally t;

	(void)state;
	init(&t, "help: h");
	assert_int_equal(t.record_size, 0);
	assert_int_equal(tally_add(&t, "", 0, SIZE_MAX), TALLY_ADDED);
	assert_int_equal(tally_add(&t, "abc", 3, SIZE_MAX), TALLY_ADDED);
	assert_int_equal(number(&t, &zero, 0), 2);
	tally_free(&t);
}

static void test_values(void **state)
{
	struct __attribute__((packed)) {
		uint8_t key, u8;
		uint16_t u16;
		uint32_t u32;
		uint64_t u64;
	} record = {1, 200, 60000, 4000000000, UINT64_C(1) << 63};
	struct tally t;

	(void)state;
	init(&t,
	     "labels: [" LABEL(
		     "l", "1",
		     "") "], values: [{name: u8, offset: 1, size: 1}, "
			 "{name: u16, offset: 2, size: 2}, {name: u32, offset: 4, size: 4}, "
			 "{name: u64, offset: 8}, {name: last, offset: 4, size: 4, type: gauge}]");
	assert_int_equal(t.record_size, sizeof(record));
	assert_int_equal(add(&t, &record, sizeof(record)), TALLY_ADDED);
	record.u32 = 5;
	record.u64 = 1;
	assert_int_equal(add(&t, &record, sizeof(record)), TALLY_ADDED);
	assert_int_equal(number(&t, &record, 0), 400);
	assert_int_equal(number(&t, &record, 1), 120000);
	assert_int_equal(number(&t, &record, 2), 4000000005);
	assert_int_equal(number(&t, &record, 3), (UINT64_C(1) << 63) + 1);
	assert_int_equal(number(&t, &record, 4), 5);
	tally_free(&t);
}

/* Of a random order, with removals, against plain arrays. */
static void test_removed_keys_begin_anew(void **state)
{
	enum { KEYS = 1000, STEPS = 100000 };
	static uint64_t expected[KEYS];
	unsigned seed = 7, there = 0;
	struct tally t;

	(void)state;
	init(&t, "labels: [" LABEL("l", "4", "") "]");
	for (int i = 0; i < STEPS; i++) {
		uint32_t key = (uint32_t)rand_r(&seed) % KEYS;
		uint64_t was = 0;

		if (i / 10000 % 2 == 0) {
			assert_int_equal(add(&t, &key, sizeof(key)), TALLY_ADDED);
			expected[key]++;
		} else {
			assert_int_equal(tally_remove(&t, &key, &was), expected[key] ? 0 : -ENOENT);
			assert_int_equal(was, expected[key]);
			expected[key] = 0;
		}
		if (i % 999 == 0)
			tally_compact(&t);
	}
	for (uint32_t key = 0; key < KEYS; key++) {
		there += expected[key] > 0;
		if (expected[key])
			assert_int_equal(number(&t, &key, 0), expected[key]);
	}
	assert_int_equal(count(&t), there);
	assert_true(t.keys.count <= 2 * there + 1);
	tally_free(&t);
}

static void test_runs(void **state)
{
	const uint32_t removed[] = {0, 1, 5, 9};
	uint32_t at = 0;
	struct tally t;

	(void)state;
	init(&t, "labels: [" LABEL("l", "4", "") "]");
	for (uint32_t key = 0; key < 10; key++)
		add(&t, &key, sizeof(key));
	for (size_t i = 0; i < ARRAY_SIZE(removed); i++)
		assert_int_equal(tally_remove(&t, &removed[i], NULL), 0);
	assert_int_equal(tally_next(&t, &at, 2), 2);
	assert_int_equal(at, 2);
	at += 2;
	assert_int_equal(tally_next(&t, &at, 100), 1);
	assert_int_equal(at, 4);
	at += 1;
	assert_int_equal(tally_next(&t, &at, 100), 3);
	assert_int_equal(at, 6);
	at += 3;
	assert_int_equal(tally_next(&t, &at, 100), 0);
	tally_free(&t);
}

/* What is known still counts when there is no room for more. */
static void test_full(void **state)
{
	uint8_t record[4004] = {0};
	uint32_t n = 0;
	struct tally t;

	(void)state;
	init(&t, "labels: [" LABEL("l", "4", ", padding: 4000") "]");
	do
		memcpy(record, &n, sizeof(n));
	while (add(&t, record, sizeof(record)) == TALLY_ADDED && ++n < 100000);
	assert_int_equal(add(&t, record, sizeof(record)), TALLY_FULL);
	assert_true(n > 5000 && n * sizeof(record) <= TALLY_MOST_BYTES);
	memset(record, 0, sizeof(record));
	assert_int_equal(add(&t, record, sizeof(record)), TALLY_ADDED);
	assert_int_equal(number(&t, record, 0), 2);
	tally_free(&t);
}

static void test_max_series_bounds_the_keys(void **state)
{
	uint32_t n = 0;
	struct tally t;

	(void)state;
	init(&t, "max_series: 3, labels: [" LABEL("l", "4", "") "]");
	while (add(&t, &n, sizeof(n)) == TALLY_ADDED && n < 1000)
		n++;
	assert_int_equal(n, 3 * 16);
	tally_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_record_counts_1),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_pads_make_no_key),
		cmocka_unit_test(test_without_labels),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_removed_keys_begin_anew),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_max_series_bounds_the_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
