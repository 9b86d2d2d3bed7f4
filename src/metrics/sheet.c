// SPDX-License-Identifier: MIT
#include "metrics/sheet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/number.h"
#include "kernel/mapread.h"
#include "metrics/rows.h"
#include "metrics/sheet_state.h"

/* Sessions that nobody goes on with are forgotten after this. */
#define SESSION_IDLE_NS (60 * NSEC_PER_SEC)

/* ---- making ---- */

static int report_beyond(const struct sheet *s, const struct sheet_column *c, uint64_t end,
			 const struct source *source, struct report *report)
{
	return report_error(
		report, source, c->config->place,
		"'%s' ends at byte %llu of the value, but the values of map '%s' have %u "
		"bytes",
		c->config->name.text, (unsigned long long)end, s->map.name, s->map.value_size);
}

static int build_text_value(struct sheet *s, struct sheet_column *c, const struct value_config *v,
			    const struct source *source, struct report *report)
{
	c->kind = SHEET_TEXT;
	c->in_value = true;
	c->offset = v->offset;
	c->size = v->size;
	c->as_label = (struct label_config){.place = v->place, .name = v->name, .size = v->size};
	c->as_label.decoders.items = v->decoders.items;
	c->as_label.decoders.count = v->decoders.count;
	if ((uint64_t)c->offset + c->size > s->map.value_size)
		return report_beyond(s, c, (uint64_t)c->offset + c->size, source, report);
	return label_decoder_build(&c->decoder, &c->as_label, s->env, source, report);
}

static enum sheet_kind kind_of(enum metric_type type, const struct column_config *c)
{
	if (type == METRIC_HISTOGRAM)
		return SHEET_HISTOGRAM;
	return type == METRIC_COUNTER && c->merge == MERGE_SUM ? SHEET_COUNTER : SHEET_GAUGE;
}

/* A number or histogram: the value @v, or with NULL all of the map's value. */
static int build_number(struct sheet *s, struct sheet_column *c, const struct value_config *v,
			const struct source *source, struct report *report)
{
	bool is_tally = s->feed && s->feed->is_tally;
	const struct bucket_config *buckets = v ? &v->buckets : &s->metric->buckets;
	uint64_t end;
	int err;

	c->kind = kind_of(v ? v->type : s->metric->type, c->config);
	c->size = v && !is_tally ? v->size : (uint32_t)sizeof(uint64_t);
	c->offset = v ? v->offset : 0;
	if (v && is_tally)
		c->offset = (uint32_t)((v - s->metric->values.items) * sizeof(uint64_t));
	c->array = v && c->kind == SHEET_HISTOGRAM;
	c->has_sum = v && v->has_sum_offset;
	c->sum_offset = v ? v->sum_offset : 0;
	if (c->kind == SHEET_HISTOGRAM && (err = buckets_init(&c->buckets, buckets)))
		return err;
	c->word = s->words;
	c->n_words = c->buckets.count + 1;
	s->words += c->n_words;
	end = (uint64_t)c->offset + (c->array ? 8 * (uint64_t)c->buckets.count : c->size);
	return end > s->map.value_size ? report_beyond(s, c, end, source, report) : 0;
}

static int build_column(struct sheet *s, struct sheet_column *c, const struct column_config *config,
			const struct source *source, struct report *report)
{
	const char *from = column_source(config)->text;
	const struct value_config *v = NULL;

	c->config = config;
	if (metric_find_label(s->metric, from, &c->label)) {
		c->kind = SHEET_TEXT;
		return 0;
	}
	metric_find_value(s->metric, from, &v);
	if (v && v->decoders.count)
		return build_text_value(s, c, v, source, report);
	return build_number(s, c, v, source, report);
}

static int build_columns(struct sheet *s, const struct source *source, struct report *report)
{
	int err = 0;

	s->columns = calloc(s->config->columns.count, sizeof(*s->columns));
	if (!s->columns)
		return -ENOMEM;
	s->words = WORD_FIRST;
	s->n_columns = s->config->columns.count;
	for (size_t i = 0; i < s->n_columns; i++) {
		int failed = build_column(s, &s->columns[i], &s->config->columns.items[i], source,
					  report);

		if (failed)
			err = failed;
	}
	return err;
}

int sheet_new(const struct table_config *table, const struct metric_config *metric,
	      const struct source *source, const struct map_info *map, struct feed *feed,
	      const struct decode_env *env, const struct label_switch *labels,
	      struct report *report, struct sheet **ret)
{
	struct sheet *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	*s = (struct sheet){
		.config = table, .metric = metric, .env = env, .map = *map, .feed = feed};
	if (getrandom(&s->seed, sizeof(s->seed), 0) != sizeof(s->seed))
		s->seed = clock_monotonic_ns();
	if ((err = rows_apply(metric, source, &s->map, report)) ||
	    (err = layout_build(&s->layout, metric, &s->map, env, labels, source, report)) ||
	    (err = build_columns(s, source, report))) {
		sheet_free(s);
		return err;
	}
	*ret = s;
	return 0;
}

static void end_session(struct sheet_session *session)
{
	if (session->id)
		view_free(&session->before);
	*session = (struct sheet_session){0};
}

void sheet_free(struct sheet *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < SHEET_SESSIONS_MAX; i++)
		end_session(&s->sessions[i]);
	for (size_t i = 0; s->columns && i < s->n_columns; i++) {
		label_decoder_free(&s->columns[i].decoder);
		buckets_free(&s->columns[i].buckets);
	}
	free(s->columns);
	layout_free(&s->layout);
	free(s);
}

const struct table_config *sheet_config(const struct sheet *s)
{
	return s->config;
}

/* ---- sessions ---- */

void sheet_expire(struct sheet *s)
{
	uint64_t now = clock_monotonic_ns();

	for (size_t i = 0; i < SHEET_SESSIONS_MAX; i++) {
		if (s->sessions[i].id && now - s->sessions[i].used_ns > SESSION_IDLE_NS)
			end_session(&s->sessions[i]);
	}
}

static struct sheet_session *find_session(struct sheet *s, uint64_t id)
{
	for (size_t i = 0; id && i < SHEET_SESSIONS_MAX; i++) {
		if (s->sessions[i].id == id)
			return &s->sessions[i];
	}
	return NULL;
}

/* In the place of the one that was used longest ago. */
static struct sheet_session *start_session(struct sheet *s, uint64_t id)
{
	struct sheet_session *oldest = &s->sessions[0];

	for (size_t i = 1; i < SHEET_SESSIONS_MAX; i++) {
		if (s->sessions[i].used_ns < oldest->used_ns)
			oldest = &s->sessions[i];
	}
	end_session(oldest);
	oldest->id = id;
	view_init(&oldest->before, s->seed);
	oldest->before.words = s->words;
	return oldest;
}

/* ---- reading ---- */

/* The views here are read once: their one scrape. */
enum { THIS_READ = 1 };

/* False for an entry that is not to be shown. */
static bool decode_column(struct reading *r, size_t index, const uint8_t *key, const uint8_t *value)
{
	const struct sheet_column *c = &r->sheet->columns[index];
	const struct key_label *label = &r->sheet->layout.labels[c->label];
	struct decoded text = {0};
	int result = c->in_value ? label_decoder_run(&c->decoder, r->sheet->env, value + c->offset,
						     &r->scratch, &text)
				 : label_decoder_run(&label->decoder, r->sheet->env,
						     key + label->offset, &r->scratch, &text);

	if (result < 0 || result == DECODE_DROP) {
		r->errors += result < 0;
		return false;
	}
	/* Where it is, is known when all are there: the buffer may move. */
	r->columns[index] = (struct sheet_text){.len = text.len};
	buf_add(&r->texts, text.text, text.len);
	return buf_ok(&r->texts);
}

bool reading_decode(struct reading *r, const uint8_t *key, const uint8_t *value)
{
	size_t at = 0;

	buf_reset(&r->texts);
	for (size_t i = 0; i < r->sheet->n_columns; i++) {
		r->columns[i] = (struct sheet_text){0};
		if (r->query->needed[i] && !decode_column(r, i, key, value))
			return false;
	}
	for (size_t i = 0; i < r->sheet->n_columns; i++) {
		if (!r->query->needed[i])
			continue;
		r->columns[i].text = r->texts.data + at;
		at += r->columns[i].len;
	}
	return true;
}

/* Length and text of each column that makes rows. */
static uint32_t find_row(struct reading *r)
{
	buf_reset(&r->row_text);
	for (size_t i = 0; i < r->sheet->n_columns; i++) {
		uint32_t len = (uint32_t)r->columns[i].len;

		if (!r->query->by[i])
			continue;
		buf_add(&r->row_text, &len, sizeof(len));
		buf_add(&r->row_text, r->columns[i].text, len);
	}
	return buf_ok(&r->row_text) ? view_find_or_add(&r->rows, r->row_text.data, r->row_text.len)
				    : TABLE_NONE;
}

/* Nothing was there before the first number; a minimum of 0 says that there is none yet. */
static void merge(enum column_merge how, uint64_t *to, uint64_t number)
{
	switch (how) {
	case MERGE_SUM:
		*to += number;
		break;
	case MERGE_MAX:
		*to = MAX(*to, number);
		break;
	case MERGE_MIN:
		if (*to == 0 || (number && number < *to))
			*to = number;
		break;
	}
}

static void add_array(const struct sheet_column *c, uint64_t *to, const uint8_t *value)
{
	for (uint32_t i = 0; i < c->buckets.count; i++)
		to[i] += number_read(value + c->offset + i * sizeof(uint64_t), sizeof(uint64_t));
	if (c->has_sum)
		to[c->buckets.count] += number_read(value + c->sum_offset, sizeof(uint64_t));
}

/* One value, of one CPU in a per-CPU map; @word: of a histogram with a key for each bucket. */
static void add_value(const struct sheet *s, uint64_t *row, uint32_t word, const uint8_t *value)
{
	for (size_t i = 0; i < s->n_columns; i++) {
		const struct sheet_column *c = &s->columns[i];

		if (c->kind == SHEET_TEXT)
			continue;
		if (c->array)
			add_array(c, row + c->word, value);
		else
			merge(c->config->merge, row + c->word + word,
			      number_read(value + c->offset, c->size));
	}
}

/* Which number of the histogram the key's bucket is; false: none. */
static bool decode_bucket(struct reading *r, const uint8_t *key, uint32_t *ret)
{
	const struct sheet *s = r->sheet;
	const struct buckets *buckets = NULL;
	struct decoded text;
	uint64_t number;

	for (size_t i = 0; i < s->n_columns; i++) {
		if (s->columns[i].kind == SHEET_HISTOGRAM)
			buckets = &s->columns[i].buckets;
	}
	if (!buckets || label_decoder_run(&s->layout.bucket.decoder, s->env,
					  key + s->layout.bucket.offset, &r->scratch, &text))
		return false;
	if (decode_parse_decimal(text.text, text.len, &number)) {
		r->errors++;
		return false;
	}
	*ret = buckets_index(buckets, number);
	if (*ret == BUCKET_SUM)
		*ret = buckets->count;
	return *ret != BUCKET_OUTSIDE;
}

static int add_entry(struct reading *r, const uint8_t *key, const uint8_t *values, size_t n_values)
{
	const struct sheet *s = r->sheet;
	uint32_t row, word = 0;
	uint64_t *numbers;

	if (s->layout.only_zero && number_read(key, sizeof(uint32_t)) != 0)
		return 0;
	if ((s->layout.has_bucket && !decode_bucket(r, key, &word)) ||
	    !reading_decode(r, key, values) || !sheet_query_fits(s, r->query, r->columns))
		return buf_ok(&r->texts) ? 0 : -ENOMEM;
	row = find_row(r);
	if (row == TABLE_NONE)
		return -ENOMEM;
	numbers = view_touch(&r->rows, row, THIS_READ);
	numbers[WORD_ENTRIES]++;
	for (size_t i = 0; i < n_values; i++)
		add_value(s, numbers, word, values + i * r->value_stride);
	return 0;
}

static int add_entry_by_cpu(struct reading *r, const uint8_t *key, const uint8_t *values, size_t n)
{
	const struct layout *layout = &r->sheet->layout;
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		uint16_t cpu = (uint16_t)i;

		memcpy(r->extended_key, key, layout->key_size);
		memcpy(r->extended_key + layout->key_size, &cpu, sizeof(cpu));
		err = add_entry(r, r->extended_key, values + i * r->value_stride, 1);
	}
	return err;
}

struct batch {
	struct reading *reading;
	const struct feed *feed;
};

static int add_batch(void *ctx, const uint8_t *keys, const uint8_t *values, size_t count)
{
	const struct batch *b = ctx;
	size_t n = b->feed->values_per_entry;
	int err = 0;

	for (size_t i = 0; i < count && !err; i++) {
		const uint8_t *key = keys + i * b->feed->key_size;
		const uint8_t *value = values + i * b->feed->stride;

		err = b->reading->sheet->layout.by_cpu ? add_entry_by_cpu(b->reading, key, value, n)
						       : add_entry(b->reading, key, value, n);
	}
	return err;
}

static int read_feed(struct reading *r, struct feed *feed, struct error *e)
{
	struct batch batch = {r, feed};
	int err;

	r->value_stride = feed->stride / feed->values_per_entry;
	err = feed_read(feed, add_batch, &batch, e);
	return err == -ENOMEM
		       ? error_set(e, err, "no memory for table '%s'", r->sheet->config->name.text)
		       : err;
}

static int read_entries(struct reading *r, struct error *e)
{
	struct mapread *reader;
	int err;

	if (r->sheet->feed)
		return read_feed(r, r->sheet->feed, e);
	err = mapread_new(&r->sheet->map, &reader, e);
	if (err)
		return err;
	err = read_feed(r, mapread_feed(reader), e);
	feed_free(mapread_feed(reader));
	return err;
}

void reading_free(struct reading *r)
{
	view_free(&r->rows);
	decode_scratch_free(&r->scratch);
	buf_free(&r->texts);
	buf_free(&r->row_text);
	free(r->extended_key);
}

static int read_rows(struct reading *r, struct sheet *s, const struct sheet_query *q,
		     struct error *e)
{
	*r = (struct reading){.sheet = s, .query = q};
	view_init(&r->rows, s->seed);
	r->rows.words = s->words;
	r->extended_key = malloc(s->layout.extended_key_size);
	/* Where all texts are empty there is a place for them nevertheless. */
	if (!r->extended_key || !buf_reserve(&r->texts, 1) || !buf_reserve(&r->row_text, 1))
		return error_set(e, -ENOMEM, "no memory");
	return read_entries(r, e);
}

/* ---- sorting, and what is left over ---- */

const uint64_t *sheet_row_before(const struct sheet_result *r, uint32_t row)
{
	uint32_t id;

	if (!r->before)
		return NULL;
	/* The keys of the two tables are hashes with one seed. */
	id = table_find(&r->before->ids, table_key(&r->rows->ids, row));
	return id == TABLE_NONE ? NULL : r->before->numbers + (size_t)id * r->before->words;
}

struct rank {
	double number;
	uint32_t row;
};

/* Equal ones in the order of their texts, so that lines do not jump about. */
static int compare_ranks(const void *a, const void *b, void *ctx)
{
	const struct rank *x = a, *y = b;
	const struct view *v = ctx;
	struct label_text s, t;
	int order;

	if (x->number != y->number)
		return x->number < y->number ? 1 : -1;
	s = view_label_text(v, x->row);
	t = view_label_text(v, y->row);
	order = memcmp(s.text, t.text, MIN(s.len, t.len));
	return order ? order : (int)(s.len > t.len) - (int)(s.len < t.len);
}

static struct rank *rank_rows(const struct sheet *s, const struct sheet_result *r)
{
	const struct view *v = r->rows;
	struct rank *ranks = calloc((size_t)v->ids.count + 1, sizeof(*ranks));

	for (uint32_t i = 0; ranks && i < v->ids.count; i++)
		ranks[i] = (struct rank){sheet_sort_number(&s->columns[r->query->sort],
							   v->numbers + (size_t)i * v->words,
							   sheet_row_before(r, i)),
					 i};
	if (ranks)
		qsort_r(ranks, v->ids.count, sizeof(*ranks), compare_ranks, (void *)v);
	return ranks;
}

static void add_row(const struct sheet *s, uint64_t *to, const uint64_t *row)
{
	if (!row)
		return;
	to[WORD_ENTRIES] += row[WORD_ENTRIES];
	for (size_t i = 0; i < s->n_columns; i++) {
		const struct sheet_column *c = &s->columns[i];

		for (uint32_t k = 0; c->kind != SHEET_TEXT && k < c->n_words; k++)
			merge(c->config->merge, to + c->word + k, row[c->word + k]);
	}
}

/* Four rows of numbers: other, total, and both of the last time. */
static int sum_up(const struct sheet *s, struct sheet_result *r, const struct rank *ranks,
		  uint64_t **ret)
{
	uint64_t *sums = calloc(4, (size_t)s->words * sizeof(*sums));

	if (!sums)
		return -ENOMEM;
	for (uint32_t i = 0; i < r->rows->ids.count; i++) {
		const uint64_t *now = r->rows->numbers + (size_t)ranks[i].row * s->words;
		const uint64_t *before = sheet_row_before(r, ranks[i].row);

		add_row(s, sums + s->words, now);
		add_row(s, sums + 3 * (size_t)s->words, before);
		if (i < r->n_shown)
			continue;
		add_row(s, sums, now);
		add_row(s, sums + 2 * (size_t)s->words, before);
	}
	r->other = sums;
	r->total = sums + s->words;
	r->other_before = r->before ? sums + 2 * (size_t)s->words : NULL;
	r->total_before = r->before ? sums + 3 * (size_t)s->words : NULL;
	*ret = sums;
	return 0;
}

/* Sorts, and writes the answer. */
static int write_answer(const struct sheet *s, struct sheet_result *r, struct buf *out)
{
	_cleanup_free_ struct rank *ranks = rank_rows(s, r);
	_cleanup_free_ uint64_t *sums = NULL;
	_cleanup_free_ uint32_t *shown = NULL;
	uint32_t count = r->rows->ids.count;
	int err;

	r->n_shown = MIN(count, r->query->limit);
	r->n_other = count - r->n_shown;
	shown = calloc(r->n_shown + 1, sizeof(*shown));
	if (!ranks || !shown)
		return -ENOMEM;
	for (size_t i = 0; i < r->n_shown; i++)
		shown[i] = ranks[i].row;
	r->shown = shown;
	err = sum_up(s, r, ranks, &sums);
	if (err)
		return err;
	sheet_write_json(s, r, out);
	return buf_ok(out) ? 0 : -ENOMEM;
}

/* The rows just read are what the next time is compared with. */
static void keep_rows(struct sheet_session *session, struct reading *r, uint64_t now)
{
	view_free(&session->before);
	session->before = r->rows;
	r->rows = (struct view){0};
	session->read_ns = now;
}

static int answer(struct sheet *s, const struct sheet_query *q, struct sheet_session *session,
		  struct buf *out, struct error *e)
{
	_cleanup_(reading_free) struct reading r = {0};
	struct sheet_result result = {.query = q, .rows = &r.rows, .now_ns = clock_monotonic_ns()};
	int err = read_rows(&r, s, q, e);

	if (err)
		return err;
	result.errors = r.errors;
	if (session && session->read_ns) {
		result.before = &session->before;
		result.seconds = (double)(result.now_ns - session->read_ns) / (double)NSEC_PER_SEC;
	}
	err = write_answer(s, &result, out);
	if (err)
		return error_set(e, err, "no memory for table '%s'", s->config->name.text);
	if (session)
		keep_rows(session, &r, result.now_ns);
	return 0;
}

int sheet_answer(struct sheet *s, const struct sheet_question *q, struct buf *out, struct error *e)
{
	struct sheet_session *session = find_session(s, q->session);
	struct sheet_query query;
	int err;

	sheet_expire(s);
	if (q->end) {
		if (session)
			end_session(session);
		buf_add_str(out, "{}");
		return 0;
	}
	err = sheet_query_build(s, q, &query, e);
	if (err)
		return err;
	if (q->session && !session)
		session = start_session(s, q->session);
	if (session)
		session->used_ns = clock_monotonic_ns();
	return answer(s, &query, session, out, e);
}
