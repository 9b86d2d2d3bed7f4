/* SPDX-License-Identifier: MIT */
/*
 * The series of one set of labels: label text → the numbers that are added up for it in this
 * scrape.
 *
 * A map has one view for each set of labels that its metrics want. Entries of the map whose label
 * text is equal share a series, so they are summed. Series are numbered as they come; one that no
 * entry touched in a scrape is not shown.
 *
 * With `max_series` a series needs a place to be shown. It has it from when it is first touched to
 * the end of the first scrape in which nobody touches it. What finds no place can be summed in
 * the series whose labels are all "other", which needs none.
 */
#pragma once

#include "base/table.h"
#include "metrics/family.h"

struct series {
	uint32_t text_at; /* into view->text */
	uint32_t text_len;
	uint32_t seen; /* the scrape that last touched it */
};

/* No series: there is no place for it. */
#define VIEW_FULL (TABLE_NONE - 1)

struct view {
	uint32_t *labels; /* which of the layout's labels, in the order of their names */
	size_t n_labels;
	uint32_t words;      /* numbers that a series has */
	uint32_t max_series; /* 0 = any number */
	bool carries;        /* `carried` is kept */
	uint32_t top;        /* only so many are shown (collector_top.c); 0 = all */
	uint32_t top_word;   /* then: where the numbers begin that this takes */

	struct table ids; /* seeded 128-bit hash of the label text → series */
	uint64_t seed;
	struct series *series;
	uint64_t *numbers; /* series × words */
	bool *placed;      /* with max_series: which series have a place */
	uint32_t n_placed;
	uint64_t *carried; /* series × words: where each scrape's sum begins; `ttl` puts here what
			    * the entries counted that it deletes */
	uint32_t cap;      /* series that fit in these */
	uint32_t other;    /* the series of what has no place, TABLE_NONE while there is none */
	struct buf text;
};

void view_init(struct view *v, uint64_t seed);
void view_free(struct view *v);

/* Forgets all series but what they carry, and keeps the memory. -ENOMEM: nothing was done. */
int view_clear(struct view *v);

/* The series with the label text @text; TABLE_NONE without memory. */
uint32_t view_find_or_add(struct view *v, const char *text, size_t len);

/* The one that has it; TABLE_NONE: none. */
uint32_t view_find(const struct view *v, const char *text, size_t len);

/* As view_find_or_add(), but VIEW_FULL where it has no place and gets none. */
uint32_t view_find_place(struct view *v, const char *text, size_t len);

/* At the end of @scrape: what it did not touch loses its place and what it carried. */
void view_release(struct view *v, uint32_t scrape);

static inline uint64_t *view_carried(const struct view *v, uint32_t series)
{
	return v->carried + (size_t)series * v->words;
}

/* The numbers of @series, which begin anew when @scrape touches it for the first time. */
static inline uint64_t *view_touch(struct view *v, uint32_t series, uint32_t scrape)
{
	uint64_t *numbers = v->numbers + (size_t)series * v->words;

	if (v->series[series].seen != scrape) {
		v->series[series].seen = scrape;
		if (v->carries)
			memcpy(numbers, view_carried(v, series), v->words * sizeof(*numbers));
		else
			memset(numbers, 0, v->words * sizeof(*numbers));
	}
	return numbers;
}

static inline struct label_text view_label_text(const struct view *v, uint32_t series)
{
	return (struct label_text){v->text.data + v->series[series].text_at,
				   v->series[series].text_len};
}
