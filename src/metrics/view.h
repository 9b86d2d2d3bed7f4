/* SPDX-License-Identifier: MIT */
/*
 * The series of one set of labels: label text → the numbers that are added up for it in this
 * scrape.
 *
 * A map has one view for each set of labels that its metrics want. Entries of the map whose label
 * text is equal share a series, so they are summed. Series are numbered as they come; one that no
 * entry touched in a scrape is not shown.
 */
#pragma once

#include "base/table.h"
#include "metrics/family.h"

struct series {
	uint32_t text_at; /* into view->text */
	uint32_t text_len;
	uint32_t seen; /* the scrape that last touched it */
};

struct view {
	uint32_t *labels; /* which of the layout's labels, in the order of their names */
	size_t n_labels;
	uint32_t words; /* numbers that a series has */

	struct table ids; /* seeded 128-bit hash of the label text → series */
	uint64_t seed;
	struct series *series;
	uint64_t *numbers; /* series × words */
	uint32_t cap;      /* series that fit in these two */
	struct buf text;
};

void view_init(struct view *v, uint64_t seed);
void view_free(struct view *v);

/* Forgets all series and keeps the memory. */
void view_clear(struct view *v);

/* The series with the label text @text; TABLE_NONE without memory. */
uint32_t view_find_or_add(struct view *v, const char *text, size_t len);

/* The numbers of @series, set to 0 when @scrape touches it for the first time. */
static inline uint64_t *view_touch(struct view *v, uint32_t series, uint32_t scrape)
{
	uint64_t *numbers = v->numbers + (size_t)series * v->words;

	if (v->series[series].seen != scrape) {
		v->series[series].seen = scrape;
		memset(numbers, 0, v->words * sizeof(*numbers));
	}
	return numbers;
}

static inline struct label_text view_label_text(const struct view *v, uint32_t series)
{
	return (struct label_text){v->text.data + v->series[series].text_at,
				   v->series[series].text_len};
}
