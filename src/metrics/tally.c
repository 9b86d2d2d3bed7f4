// SPDX-License-Identifier: MIT
#include "metrics/tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "base/number.h"

enum {
	LEAST_KEY = 4,      /* of what has no labels */
	SLOTS_OF_A_KEY = 4, /* at most, of 4 bytes each: base/table.c */
	KEYS_OF_A_SERIES = 16,
	KEYS_OF_A_HISTOGRAM = 256,
};

/* Labels that touch become one piece. Gives back the bytes that they take with their paddings. */
static size_t place_labels(struct tally *t, const struct metric_config *metric)
{
	uint32_t at = 0;

	for (size_t i = 0; i < metric->labels.count; i++) {
		const struct label_config *label = &metric->labels.items[i];
		struct tally_piece *last = t->n_pieces ? &t->pieces[t->n_pieces - 1] : NULL;

		if (label->of.text)
			continue;
		if (last && last->offset + last->size == at)
			last->size += label->size;
		else
			t->pieces[t->n_pieces++] = (struct tally_piece){at, label->size};
		at += label->size + label->padding;
	}
	return at;
}

static void place_values(struct tally *t, const struct metric_config *metric)
{
	for (size_t i = 0; i < metric->values.count; i++) {
		const struct value_config *v = &metric->values.items[i];

		t->values[i] = (struct tally_value){
			.offset = v->offset,
			.size = v->size,
			.last = v->type == METRIC_GAUGE,
		};
		t->record_size = MAX(t->record_size, (size_t)v->offset + v->size);
	}
}

/* Several keys can be of one series, so that it is not the tally that decides which series there
 * are; and each bucket of a histogram is a key. */
static uint32_t most_keys(const struct metric_config *metric, size_t bytes_of_key)
{
	uint64_t for_series =
		(uint64_t)metric->max_series *
		(metric->type == METRIC_HISTOGRAM ? KEYS_OF_A_HISTOGRAM : KEYS_OF_A_SERIES);
	uint64_t most = TALLY_MOST_BYTES / bytes_of_key;

	return (uint32_t)(metric->max_series ? MIN(most, for_series) : most);
}

int tally_init(struct tally *t, const struct metric_config *metric)
{
	size_t key_size;

	*t = (struct tally){.n_values = MAX(metric->values.count, (size_t)1)};
	t->pieces = calloc(metric->labels.count + 1, sizeof(*t->pieces));
	t->values = calloc(t->n_values, sizeof(*t->values));
	if (!t->pieces || !t->values)
		goto no_memory;
	t->record_size = place_labels(t, metric);
	key_size = t->record_size ? t->record_size : LEAST_KEY;
	place_values(t, metric);
	t->key = calloc(1, key_size);
	if (!t->key)
		goto no_memory;
	table_init(&t->keys, key_size);
	t->most = most_keys(metric, key_size + t->n_values * sizeof(uint64_t) + sizeof(bool) +
					    SLOTS_OF_A_KEY * sizeof(uint32_t));
	return 0;
no_memory:
	tally_free(t);
	return -ENOMEM;
}

void tally_free(struct tally *t)
{
	table_free(&t->keys);
	free(t->numbers);
	free(t->removed);
	free(t->pieces);
	free(t->values);
	free(t->key);
	*t = (struct tally){0};
}

static bool grow(struct tally *t)
{
	void *p;

	if (t->cap >= t->keys.cap)
		return true;
	p = reallocarray(t->numbers, t->keys.cap, t->n_values * sizeof(*t->numbers));
	if (!p)
		return false;
	t->numbers = p;
	p = reallocarray(t->removed, t->keys.cap, sizeof(*t->removed));
	if (!p)
		return false;
	t->removed = p;
	t->cap = t->keys.cap;
	return true;
}

static uint64_t *numbers_of(const struct tally *t, uint32_t index)
{
	return t->numbers + (size_t)index * t->n_values;
}

/* The index of t->key, with numbers of 0 if it is new; TABLE_NONE when there is no room. */
static uint32_t find_or_add(struct tally *t)
{
	uint32_t index = table_find(&t->keys, t->key);
	bool added;

	if (index != TABLE_NONE) {
		t->n_removed -= t->removed[index];
		t->removed[index] = false;
		return index;
	}
	if (t->keys.count >= t->most)
		return TABLE_NONE;
	index = table_add(&t->keys, t->key, &added);
	if (index == TABLE_NONE)
		return TABLE_NONE;
	if (!grow(t)) {
		table_drop_last(&t->keys);
		return TABLE_NONE;
	}
	memset(numbers_of(t, index), 0, t->n_values * sizeof(*t->numbers));
	t->removed[index] = false;
	return index;
}

static void add_value(uint64_t *to, const struct tally_value *v, const uint8_t *record)
{
	if (v->size == 0)
		(*to)++;
	else if (v->last)
		*to = number_read(record + v->offset, v->size);
	else
		*to += number_read(record + v->offset, v->size);
}

enum tally_result tally_add(struct tally *t, const void *record, size_t len, size_t longest)
{
	uint64_t *numbers;
	uint32_t index;

	if (len < t->record_size || len > longest)
		return TALLY_MALFORMED;
	/* What is between the labels may be what the memory held before. */
	for (size_t i = 0; i < t->n_pieces; i++)
		memcpy(t->key + t->pieces[i].offset, (const uint8_t *)record + t->pieces[i].offset,
		       t->pieces[i].size);
	index = find_or_add(t);
	if (index == TABLE_NONE)
		return TALLY_FULL;
	numbers = numbers_of(t, index);
	for (size_t i = 0; i < t->n_values; i++)
		add_value(&numbers[i], &t->values[i], record);
	return TALLY_ADDED;
}

uint32_t tally_next(const struct tally *t, uint32_t *from, uint32_t most)
{
	uint32_t first = *from, end;

	while (first < t->keys.count && t->removed[first])
		first++;
	for (end = first; end < t->keys.count && end - first < most && !t->removed[end];)
		end++;
	*from = first;
	return end - first;
}

int tally_remove(struct tally *t, const void *key, uint64_t *ret_numbers)
{
	uint32_t index = table_find(&t->keys, key);
	size_t bytes = t->n_values * sizeof(*t->numbers);

	if (index == TABLE_NONE || t->removed[index])
		return -ENOENT;
	if (ret_numbers)
		memcpy(ret_numbers, numbers_of(t, index), bytes);
	memset(numbers_of(t, index), 0, bytes);
	t->removed[index] = true;
	t->n_removed++;
	return 0;
}

static bool is_there(const void *ctx, uint32_t index)
{
	const struct tally *t = ctx;

	return !t->removed[index];
}

void tally_compact(struct tally *t)
{
	uint32_t count = t->keys.count, to = 0;

	if (t->n_removed <= count / 2)
		return;
	table_compact(&t->keys, is_there, t);
	for (uint32_t from = 0; from < count; from++) {
		if (t->removed[from])
			continue;
		memmove(numbers_of(t, to), numbers_of(t, from), t->n_values * sizeof(*t->numbers));
		to++;
	}
	memset(t->removed, 0, to * sizeof(*t->removed));
	t->n_removed = 0;
}

void tally_clear(struct tally *t)
{
	table_clear(&t->keys);
	t->n_removed = 0;
}
