// SPDX-License-Identifier: MIT
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/macro.h"

enum { FIRST_SLOTS = 16 };

void table_init(struct table *t, size_t key_size)
{
	*t = (struct table){.key_size = key_size};
}

void table_free(struct table *t)
{
	free(t->keys);
	free(t->slots);
	table_init(t, t->key_size);
}

void table_clear(struct table *t)
{
	t->count = 0;
	if (t->n_slots)
		memset(t->slots, 0xff, t->n_slots * sizeof(*t->slots));
}

static uint32_t hash_key(const struct table *t, const void *key)
{
	return (uint32_t)XXH3_64bits(key, t->key_size);
}

/* The slot that holds @key, or the empty one where it would go. */
static uint32_t slot_of(const struct table *t, const void *key)
{
	uint32_t mask = t->n_slots - 1, at = hash_key(t, key) & mask;

	for (;; at = (at + 1) & mask) {
		uint32_t index = t->slots[at];

		if (index == TABLE_NONE || table_holds(t, index, key))
			return at;
	}
}

static void fill_slots(struct table *t)
{
	uint32_t mask = t->n_slots - 1;

	memset(t->slots, 0xff, t->n_slots * sizeof(*t->slots));
	for (uint32_t i = 0; i < t->count; i++) {
		uint32_t at = hash_key(t, table_key(t, i)) & mask;

		while (t->slots[at] != TABLE_NONE)
			at = (at + 1) & mask;
		t->slots[at] = i;
	}
}

/* Arrays that grew stay grown when a later one fails: the table is as valid as before. */
static bool grow(struct table *t)
{
	uint32_t n_slots = t->n_slots ? t->n_slots * 2 : FIRST_SLOTS;
	uint32_t cap = n_slots / 2;
	void *p;

	if (n_slots < t->n_slots)
		return false;
	p = realloc(t->keys, MAX(cap * t->key_size, (size_t)1));
	if (!p)
		return false;
	t->keys = p;
	p = realloc(t->slots, n_slots * sizeof(*t->slots));
	if (!p)
		return false;
	t->slots = p;
	t->n_slots = n_slots;
	t->cap = cap;
	fill_slots(t);
	return true;
}

uint32_t table_find(const struct table *t, const void *key)
{
	if (t->count == 0)
		return TABLE_NONE;
	return t->slots[slot_of(t, key)];
}

uint32_t table_add(struct table *t, const void *key, bool *ret_added)
{
	uint32_t at = 0;

	*ret_added = false;
	if (t->n_slots) {
		at = slot_of(t, key);
		if (t->slots[at] != TABLE_NONE)
			return t->slots[at];
	}
	if (t->count == t->cap) {
		if (!grow(t))
			return TABLE_NONE;
		at = slot_of(t, key);
	}
	memcpy(t->keys + (size_t)t->count * t->key_size, key, t->key_size);
	t->slots[at] = t->count;
	*ret_added = true;
	return t->count++;
}

void table_drop_last(struct table *t)
{
	t->slots[slot_of(t, table_key(t, t->count - 1))] = TABLE_NONE;
	t->count--;
}

void table_compact(struct table *t, bool (*keep)(const void *ctx, uint32_t index), const void *ctx)
{
	uint32_t to = 0;

	for (uint32_t from = 0; from < t->count; from++) {
		if (keep(ctx, from))
			memmove(t->keys + (size_t)to++ * t->key_size, table_key(t, from),
				t->key_size);
	}
	t->count = to;
	if (t->n_slots)
		fill_slots(t);
}
