// SPDX-License-Identifier: MIT
/*
 * `top`: of the many series that a map could have those that grow most, and one of all the rest.
 *
 * Entries of such a map come and go, so that what is in it goes down as well. What is shown is
 * added up from what entries grew by from one read to the next, which never falls. A series that
 * is not among the top stands still, and what it would have grown by is in the rest; when it comes
 * back it goes on from there. So all that is counted is in one series each, and rates add up.
 *
 * The rest is worked out from sums: what is in the map, and what has left it (the value that
 * `rest` names), without what other series were given. So it has what entries counted that came
 * and left between two reads, too. As two maps are not read in the same moment, the sum may be a
 * little too low until the next read: the rest stands still then.
 *
 * Behind the numbers of the fields, a series of such a view carries
 *
 *	score │ state │ of the rest, for each of those numbers: what was given to others
 */
#include "metrics/collector_state.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a series grew by counts half as much when this much time has passed. */
#define HALF_LIFE_SEC 60

/* Who is shown makes room for who grew more by this factor: series that come and go help nobody. */
#define SHOWN_COUNTS 2.0

enum { MORE_SCORE, MORE_STATE, MORE_GIVEN };
enum { STATE_HIDDEN, STATE_SHOWN, STATE_REST };

uint32_t top_words(uint32_t words)
{
	return MORE_GIVEN + words;
}

/* As view_carried(): until the next series is added. */
static uint64_t *more_of(const struct view *v, uint32_t series)
{
	return view_carried(v, series) + v->top_word;
}

bool top_shows(const struct view *v, uint32_t series)
{
	return more_of(v, series)[MORE_STATE] != STATE_HIDDEN;
}

void top_add(struct collector *c, uint32_t index, size_t field, uint64_t number)
{
	const struct field *f = &c->fields[field];
	const uint32_t *series = c->entry_series + (size_t)index * c->n_views;
	uint64_t *last = &c->last[(size_t)index * c->n_fields + field];
	uint64_t growth = number >= *last ? number - *last : number; /* less: it began anew */

	*last = number;
	view_touch(&c->views[f->view], series[f->view], c->scrape)[f->word] += growth;
	view_touch(&c->views[f->sum_view], series[f->sum_view], c->scrape)[f->sum_word] += number;
}

/* ---- who is shown ---- */

struct candidate {
	double rank;
	uint32_t series;
};

static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return x->rank != y->rank ? (x->rank < y->rank) - (x->rank > y->rank)
				  : (x->series > y->series) - (x->series < y->series);
}

static bool is_candidate(const struct collector *c, const struct view *v, uint32_t series)
{
	return v->series[series].seen == c->scrape && more_of(v, series)[MORE_STATE] != STATE_REST;
}

/* The first number is what it goes by. */
static double update_score(struct view *v, uint32_t series, double decay)
{
	uint64_t *carried = view_carried(v, series), *more = more_of(v, series);
	double score;

	memcpy(&score, &more[MORE_SCORE], sizeof(score));
	score = score * decay + (double)(v->numbers[(size_t)series * v->words] - carried[0]);
	memcpy(&more[MORE_SCORE], &score, sizeof(score));
	return more[MORE_STATE] == STATE_SHOWN ? score * SHOWN_COUNTS : score;
}

/* All that were found, the best first. */
static struct candidate *rank(const struct collector *c, struct view *v, size_t *ret_count)
{
	double decay = exp2(-(double)(c->now - c->top_now) / HALF_LIFE_SEC);
	struct candidate *list = calloc((size_t)v->ids.count + 1, sizeof(*list));
	size_t n = 0;

	if (!list)
		return NULL;
	for (uint32_t i = 0; i < v->ids.count; i++) {
		if (is_candidate(c, v, i))
			list[n++] = (struct candidate){update_score(v, i, decay), i};
	}
	qsort(list, n, sizeof(*list), compare_candidates);
	*ret_count = n;
	return list;
}

/* ---- the rest ---- */

static bool is_other(const struct field *f, const struct label_pair *label)
{
	for (size_t i = 0; i < f->top->others.count; i++) {
		const char *name = f->top->others.items[i].text;

		if (strlen(name) == label->name_len && !memcmp(name, label->name, label->name_len))
			return true;
	}
	return false;
}

static void add_pair(struct buf *b, const struct label_pair *label)
{
	buf_printf(b, "%s%.*s=\"%.*s\"", b->len ? "," : "", (int)label->name_len, label->name,
		   (int)label->value_len, label->value);
}

/* The series c->label_text names, touched; TABLE_NONE without memory. */
static uint32_t find_rest(struct collector *c, struct view *v)
{
	uint32_t rest = buf_ok(&c->label_text)
				? view_find_or_add(v, c->label_text.data, c->label_text.len)
				: TABLE_NONE;

	if (rest != TABLE_NONE)
		view_touch(v, rest, c->scrape);
	return rest;
}

/* The rest that a series belongs to: its labels, with "other" for some. */
static uint32_t rest_of_series(struct collector *c, const struct field *f, uint32_t series)
{
	struct view *v = &c->views[f->view];
	struct label_text text = view_label_text(v, series);
	struct label_pair label;

	buf_reset(&c->label_text);
	while (label_text_next(&text, &label)) {
		if (is_other(f, &label))
			buf_printf(&c->label_text, "%s%.*s=\"other\"", c->label_text.len ? "," : "",
				   (int)label.name_len, label.name);
		else
			add_pair(&c->label_text, &label);
	}
	return find_rest(c, v);
}

/* The rest of the sums that have the labels @text, which are in the order of their names. */
static uint32_t rest_of_sum(struct collector *c, const struct field *f, struct label_text text)
{
	struct view *v = &c->views[f->view];
	struct label_pair label;

	buf_reset(&c->label_text);
	for (size_t i = 0; i < v->n_labels; i++) {
		const struct key_label *l = &c->layout.labels[v->labels[i]];
		const struct text *name = &l->decoder.config->name;
		struct label_pair this = {.name = name->text, .name_len = strlen(name->text)};

		if (is_other(f, &this))
			label_text_add_str(&c->label_text, name->text, "other");
		else if (label_text_next(&text, &label))
			add_pair(&c->label_text, &label);
	}
	return find_rest(c, v);
}

/* What is in the map, and what has left it, of the labels of series @gone of the field's rest. */
static uint64_t sum_of(const struct collector *c, const struct field *f, uint32_t gone)
{
	const struct view *left = &f->rest->collector->views[f->rest->view];
	const struct view *there = &c->views[f->sum_view];
	struct label_text text = view_label_text(left, gone);
	uint32_t found = view_find(there, text.text, text.len);
	uint64_t sum = left->numbers[(size_t)gone * left->words + f->rest->word];

	if (found != TABLE_NONE && there->series[found].seen == c->scrape)
		sum += there->numbers[(size_t)found * there->words + f->sum_word];
	return sum;
}

static int update_rest(struct collector *c, const struct field *f, uint32_t gone)
{
	const struct field *from = f->rest;
	const struct view *left = &from->collector->views[from->view];
	struct view *v = &c->views[f->view];
	uint32_t rest = rest_of_sum(c, f, view_label_text(left, gone));
	uint64_t sum = sum_of(c, f, gone), *carried, given;

	if (rest == TABLE_NONE)
		return -ENOMEM;
	carried = view_carried(v, rest);
	given = more_of(v, rest)[MORE_GIVEN + f->word];
	more_of(v, rest)[MORE_STATE] = STATE_REST;
	if (sum > given)
		carried[f->word] = MAX(carried[f->word], sum - given);
	v->numbers[(size_t)rest * v->words + f->word] = carried[f->word];
	return 0;
}

/* Where what has left could not be read, everything stays as it was. */
static void keep_rests(struct collector *c, const struct field *f)
{
	struct view *v = &c->views[f->view];

	for (uint32_t i = 0; i < v->ids.count; i++) {
		if (more_of(v, i)[MORE_STATE] == STATE_REST)
			view_touch(v, i, c->scrape);
	}
}

static int update_rests(struct collector *c, const struct field *f)
{
	const struct collector *from = f->rest ? f->rest->collector : NULL;
	const struct view *left;
	int err = 0;

	if (!from || !from->valid) {
		keep_rests(c, f);
		return 0;
	}
	left = &from->views[f->rest->view];
	for (uint32_t i = 0; i < left->ids.count && !err; i++) {
		if (left->series[i].seen == from->scrape)
			err = update_rest(c, f, i);
	}
	return err;
}

/* ---- at the end of a read ---- */

/* What @series grew by becomes its own, and is none of the rest's. */
static int give(struct collector *c, const struct field *f, uint32_t series)
{
	struct view *v = &c->views[f->view];
	uint32_t rest = rest_of_series(c, f, series);
	uint64_t *numbers, *carried;

	if (rest == TABLE_NONE)
		return -ENOMEM;
	numbers = v->numbers + (size_t)series * v->words;
	carried = view_carried(v, series);
	more_of(v, rest)[MORE_GIVEN + f->word] += numbers[f->word] - carried[f->word];
	carried[f->word] = numbers[f->word];
	return 0;
}

/* A series begins with what it had: what it grew by before it is shown is the rest's, as nobody
 * can tell from its first sample when that was. */
static int show(struct collector *c, uint32_t view, uint32_t series)
{
	struct view *v = &c->views[view];
	bool was_shown = more_of(v, series)[MORE_STATE] == STATE_SHOWN;
	int err = 0;

	for (size_t i = 0; was_shown && i < c->n_fields && !err; i++) {
		if (c->fields[i].view == view)
			err = give(c, &c->fields[i], series);
	}
	more_of(v, series)[MORE_STATE] = STATE_SHOWN;
	return err;
}

static int settle_view(struct collector *c, uint32_t view)
{
	struct view *v = &c->views[view];
	size_t count = 0;
	struct candidate *list = rank(c, v, &count);
	int err = list ? 0 : -ENOMEM;

	for (size_t i = 0; i < count && !err; i++) {
		uint32_t series = list[i].series;

		if (i < v->top && list[i].rank > 0)
			err = show(c, view, series);
		else
			more_of(v, series)[MORE_STATE] = STATE_HIDDEN;
		memcpy(v->numbers + (size_t)series * v->words, view_carried(v, series),
		       v->words * sizeof(*v->numbers));
	}
	free(list);
	return err;
}

int top_settle(struct collector *c)
{
	int err = 0;

	for (uint32_t i = 0; i < c->n_views && !err; i++)
		err = c->views[i].top ? settle_view(c, i) : 0;
	for (size_t i = 0; i < c->n_fields && !err; i++)
		err = update_rests(c, &c->fields[i]);
	c->top_now = c->now;
	return err;
}
