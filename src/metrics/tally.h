/* SPDX-License-Identifier: MIT */
/*
 * Records added up by their key, for metrics that come as events: in front the labels as a map's
 * key has them, and what `values:` names anywhere in the record.
 *
 *	record: label 0 │ pad │ label 1 │ value │ value │ what C fills up
 *	tally:  key (pads are 0) → one 8-byte number for each value, or how many there were
 *
 * A value of a counter is summed, of a gauge the last one stands. Where all keys are known, adding
 * allocates nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/table.h"
#include "config/config.h"

/* Of one map, for keys, numbers and how they are found; less where max_series says so. */
enum { TALLY_MOST_BYTES = 32 << 20 };

struct tally_piece {
	uint32_t offset;
	uint32_t size;
};

struct tally_value {
	uint32_t offset;
	uint32_t size; /* 0: it counts records */
	bool last;     /* the last one stands, instead of the sum */
};

struct tally {
	struct table keys;
	uint64_t *numbers;          /* n_values of each key */
	bool *removed;              /* of each key */
	uint32_t cap;               /* keys that fit the two */
	uint32_t most;              /* keys that it may have */
	uint32_t n_removed;         /* of the keys; their places are free after tally_compact() */
	struct tally_piece *pieces; /* labels without what is between them */
	size_t n_pieces;
	struct tally_value *values;
	size_t n_values;
	size_t record_size;
	uint8_t *key; /* of the record that is being added */
};

enum tally_result {
	TALLY_ADDED,
	TALLY_MALFORMED, /* shorter than what the config says, or longer than filling up explains */
	TALLY_FULL,      /* a new key, and no room for it */
};

/* @metric is not kept. 0 or -ENOMEM. */
int tally_init(struct tally *t, const struct metric_config *metric);
void tally_free(struct tally *t);

/* Adds the record of @len bytes, of which more than @longest are too many. */
enum tally_result tally_add(struct tally *t, const void *record, size_t len, size_t longest);

/* The next keys at or behind index *from, at most @most, that stand one behind the other: puts
 * the first one's index into *from and gives back how many; 0: there are no more. */
uint32_t tally_next(const struct tally *t, uint32_t *from, uint32_t most);

/* Removes @key; its numbers go to @ret_numbers unless that is NULL. -ENOENT: there is none. */
int tally_remove(struct tally *t, const void *key, uint64_t *ret_numbers);

/* Renumbers the keys so that removed ones take no room, when they are most of them. */
void tally_compact(struct tally *t);

/* Forgets everything and keeps the memory. */
void tally_clear(struct tally *t);
