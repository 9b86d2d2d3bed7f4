// SPDX-License-Identifier: MIT
#include "metrics/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

void view_init(struct view *v, uint64_t seed)
{
	*v = (struct view){.seed = seed, .other = TABLE_NONE};
	table_init(&v->ids, sizeof(XXH128_hash_t));
}

void view_free(struct view *v)
{
	table_free(&v->ids);
	buf_free(&v->text);
	free(v->labels);
	free(v->series);
	free(v->numbers);
	free(v->placed);
	free(v->carried);
	*v = (struct view){0};
}

/* As many series as the table of ids has room for. */
static bool grow(struct view *v)
{
	size_t numbers = v->words * sizeof(*v->numbers);
	void *p;

	if (v->cap >= v->ids.cap)
		return true;
	if (!(p = reallocarray(v->series, v->ids.cap, sizeof(*v->series))))
		return false;
	v->series = p;
	if (!(p = reallocarray(v->numbers, v->ids.cap, numbers)))
		return false;
	v->numbers = p;
	if (v->max_series && !(p = reallocarray(v->placed, v->ids.cap, sizeof(*v->placed))))
		return false;
	v->placed = v->max_series ? p : NULL;
	if (v->carries && !(p = reallocarray(v->carried, v->ids.cap, numbers)))
		return false;
	v->carried = v->carries ? p : NULL;
	v->cap = v->ids.cap;
	return true;
}

static XXH128_hash_t hash_of(const struct view *v, const char *text, size_t len)
{
	/* 128 bits with a seed that nobody outside knows: two texts of one hash do not occur, not
	 * even by intent, so the texts themselves need not be compared. */
	return XXH3_128bits_withSeed(text, len, v->seed);
}

uint32_t view_find_or_add(struct view *v, const char *text, size_t len)
{
	XXH128_hash_t hash = hash_of(v, text, len);
	size_t at = v->text.len;
	uint32_t id;
	bool added;

	if (at + len > UINT32_MAX)
		return TABLE_NONE;
	if (!buf_reserve(&v->text, MAX(len, (size_t)1))) {
		v->text.failed = false; /* what is in it is whole, and there may be memory later */
		return TABLE_NONE;
	}
	id = table_add(&v->ids, &hash, &added);
	if (id == TABLE_NONE || !added)
		return id;
	if (!grow(v)) {
		table_drop_last(&v->ids);
		return TABLE_NONE;
	}
	buf_add(&v->text, text, len);
	v->series[id] = (struct series){.text_at = (uint32_t)at, .text_len = (uint32_t)len};
	if (v->max_series)
		v->placed[id] = false;
	if (v->carries)
		memset(view_carried(v, id), 0, v->words * sizeof(*v->carried));
	return id;
}

uint32_t view_find(const struct view *v, const char *text, size_t len)
{
	XXH128_hash_t hash = hash_of(v, text, len);

	return table_find(&v->ids, &hash);
}

uint32_t view_find_place(struct view *v, const char *text, size_t len)
{
	XXH128_hash_t hash;
	uint32_t id;

	if (!v->max_series)
		return view_find_or_add(v, text, len);
	hash = hash_of(v, text, len);
	id = table_find(&v->ids, &hash);
	if (id != TABLE_NONE && v->placed[id])
		return id;
	if (v->n_placed == v->max_series)
		return VIEW_FULL;
	if (id == TABLE_NONE)
		id = view_find_or_add(v, text, len);
	if (id != TABLE_NONE) {
		v->placed[id] = true;
		v->n_placed++;
	}
	return id;
}

void view_release(struct view *v, uint32_t scrape)
{
	if (!v->max_series && !v->carries)
		return;
	for (uint32_t id = 0; id < v->ids.count; id++) {
		if (v->series[id].seen == scrape)
			continue;
		if (v->max_series && v->placed[id]) {
			v->placed[id] = false;
			v->n_placed--;
		}
		if (v->carries)
			memset(view_carried(v, id), 0, v->words * sizeof(*v->carried));
	}
}

static bool carries_something(const struct view *v, uint32_t id)
{
	const uint64_t *carried = view_carried(v, id);

	for (uint32_t i = 0; i < v->words; i++) {
		if (carried[i])
			return true;
	}
	return false;
}

/* For each series that carries something: its struct, its text and its numbers. */
static void save_carried(const struct view *v, struct buf *saved)
{
	for (uint32_t id = 0; id < v->ids.count; id++) {
		struct label_text text = view_label_text(v, id);

		if (!carries_something(v, id))
			continue;
		buf_add(saved, &v->series[id], sizeof(v->series[id]));
		buf_add(saved, text.text, text.len);
		buf_add(saved, view_carried(v, id), v->words * sizeof(*v->carried));
	}
}

/* There is room for them: they were there before. */
static void restore_carried(struct view *v, const struct buf *saved)
{
	size_t len = v->words * sizeof(*v->carried);
	struct series series;

	for (size_t at = 0; at < saved->len; at += sizeof(series) + series.text_len + len) {
		const char *text = saved->data + at + sizeof(series);
		uint32_t id;

		memcpy(&series, saved->data + at, sizeof(series));
		id = view_find_or_add(v, text, series.text_len);
		if (id != TABLE_NONE)
			memcpy(view_carried(v, id), text + series.text_len, len);
	}
}

int view_clear(struct view *v)
{
	_cleanup_buf_ struct buf saved = {0};

	if (v->carries)
		save_carried(v, &saved);
	if (!buf_ok(&saved))
		return -ENOMEM;
	table_clear(&v->ids);
	buf_reset(&v->text);
	v->n_placed = 0;
	v->other = TABLE_NONE;
	restore_carried(v, &saved);
	return 0;
}
