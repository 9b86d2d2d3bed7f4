// SPDX-License-Identifier: MIT
#include "metrics/view.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

void view_init(struct view *v, uint64_t seed)
{
	*v = (struct view){.seed = seed};
	table_init(&v->ids, sizeof(XXH128_hash_t));
}

void view_free(struct view *v)
{
	table_free(&v->ids);
	buf_free(&v->text);
	free(v->labels);
	free(v->series);
	free(v->numbers);
	*v = (struct view){0};
}

void view_clear(struct view *v)
{
	table_clear(&v->ids);
	buf_reset(&v->text);
}

/* As many series as the table of ids has room for. */
static bool grow(struct view *v)
{
	void *p;

	if (v->cap >= v->ids.cap)
		return true;
	p = reallocarray(v->series, v->ids.cap, sizeof(*v->series));
	if (!p)
		return false;
	v->series = p;
	p = reallocarray(v->numbers, v->ids.cap, v->words * sizeof(*v->numbers));
	if (!p)
		return false;
	v->numbers = p;
	v->cap = v->ids.cap;
	return true;
}

uint32_t view_find_or_add(struct view *v, const char *text, size_t len)
{
	/* 128 bits with a seed that nobody outside knows: two texts of one hash do not occur, not
	 * even by intent, so the texts themselves need not be compared. */
	XXH128_hash_t hash = XXH3_128bits_withSeed(text, len, v->seed);
	size_t at = v->text.len;
	uint32_t id;
	bool added;

	if (at + len > UINT32_MAX || !buf_reserve(&v->text, len))
		return TABLE_NONE;
	id = table_add(&v->ids, &hash, &added);
	if (id == TABLE_NONE || !added)
		return id;
	if (!grow(v)) {
		table_drop_last(&v->ids);
		return TABLE_NONE;
	}
	buf_add(&v->text, text, len);
	v->series[id] = (struct series){.text_at = (uint32_t)at, .text_len = (uint32_t)len};
	return id;
}
