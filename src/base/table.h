/* SPDX-License-Identifier: MIT */
/*
 * A set of byte strings of one length, numbered 0, 1, 2 … in the order in which they came: a raw
 * map key → the index of whatever the caller keeps for it in arrays of its own. Flat open
 * addressing over 32-bit indices; a lookup touches one slot and one key.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TABLE_NONE UINT32_MAX

struct table {
	size_t key_size;
	uint32_t count;   /* keys held: their indices are 0 … count - 1 */
	uint32_t cap;     /* keys that fit before growing */
	uint32_t n_slots; /* a power of two */
	uint8_t *keys;    /* count × key_size */
	uint32_t *slots;  /* index, or TABLE_NONE */
};

void table_init(struct table *t, size_t key_size);
void table_free(struct table *t);

/* Forgets all keys and keeps the memory. */
void table_clear(struct table *t);

/* The index of @key, or TABLE_NONE. */
uint32_t table_find(const struct table *t, const void *key);

/* The index of @key, added if it was not there (*ret_added says so); TABLE_NONE without memory. */
uint32_t table_add(struct table *t, const void *key, bool *ret_added);

static inline const void *table_key(const struct table *t, uint32_t index)
{
	return t->keys + (size_t)index * t->key_size;
}

/*
 * Whether @index holds @key: for a caller who expects it there. It costs less than table_find(),
 * which goes all over the memory of a large table.
 */
static inline bool table_holds(const struct table *t, uint32_t index, const void *key)
{
	return index < t->count && memcmp(table_key(t, index), key, t->key_size) == 0;
}

/* Takes back the key that was added last: for a caller that found no room for what belongs to
 * it. */
void table_drop_last(struct table *t);

/*
 * Keeps only the keys for which @keep says so of their index. Those are renumbered from 0 in their
 * order; @keep is asked once for each index, ascending.
 */
void table_compact(struct table *t, bool (*keep)(const void *ctx, uint32_t index), const void *ctx);
