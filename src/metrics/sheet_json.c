// SPDX-License-Identifier: MIT
/* The answer as JSON, written as it goes: a tree of a hundred thousand rows would be dear. */
#include <inttypes.h>
#include <math.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/number.h"
#include "metrics/sheet_state.h"

static const char *const kind_names[] = {
	[SHEET_TEXT] = "text",
	[SHEET_COUNTER] = "counter",
	[SHEET_GAUGE] = "gauge",
	[SHEET_HISTOGRAM] = "histogram",
};

/* ---- numbers ---- */

/* JSON knows neither infinity nor NaN. */
static void add_real(struct buf *out, double number)
{
	if (isfinite(number))
		buf_add_double(out, number);
	else
		buf_add_str(out, "null");
}

static double scaled(const struct sheet_column *c, uint64_t number)
{
	double multiplier = c->config->multiplier;

	return (double)number * (multiplier != 0 ? multiplier : 1);
}

static void add_number(struct buf *out, const struct sheet_column *c, uint64_t number)
{
	if (c->config->multiplier == 0 || c->config->multiplier == 1)
		buf_add_u64(out, number);
	else
		add_real(out, scaled(c, number));
}

/* Seconds since the point in time; null for none. */
static void add_age(struct buf *out, const struct sheet_column *c, uint64_t number, uint64_t now)
{
	double age = (double)now / (double)NSEC_PER_SEC - scaled(c, number);

	if (number == 0)
		buf_add_str(out, "null");
	else
		add_real(out, MAX(age, 0.0));
}

/* ---- histograms ---- */

/* Buckets of one row, in a session what came since the last time. */
struct drawn {
	const struct sheet_column *column;
	const uint64_t *now, *before;
};

static uint64_t since(const struct drawn *d, uint32_t index)
{
	uint64_t now = d->now[d->column->word + index];
	uint64_t was = d->before ? d->before[d->column->word + index] : 0;

	return now >= was ? now - was : now; /* begun anew */
}

static uint64_t count_all(const struct drawn *d)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < d->column->buckets.count; i++)
		count += since(d, i);
	return count;
}

/* Where the value lies below which @share of all are: within its bucket as if they were spread
 * evenly. */
static double quantile(const struct drawn *d, uint64_t count, double share)
{
	const struct buckets *b = &d->column->buckets;
	double rank = share * (double)count, below = 0;

	for (uint32_t i = 0; i < b->count; i++) {
		double in = (double)since(d, i), upper = buckets_upper_bound(b, i);
		double lower = i ? buckets_upper_bound(b, i - 1) : 0;

		if (in > 0 && below + in >= rank)
			return lower + (upper - lower) * (rank - below) / in;
		below += in;
	}
	return NAN;
}

/* The bound of the last bucket that is not empty. */
static double most(const struct drawn *d)
{
	const struct buckets *b = &d->column->buckets;

	for (uint32_t i = b->count; i > 0; i--) {
		if (since(d, i - 1))
			return buckets_upper_bound(b, i - 1);
	}
	return NAN;
}

/* From the first to the last that is not empty, alone and not cumulative. */
static void add_buckets(struct buf *out, const struct drawn *d)
{
	const struct buckets *b = &d->column->buckets;
	uint32_t at = 0, held = 0;
	bool any = false;

	for (uint32_t i = 0; i < b->n_bounds; i++) {
		uint64_t count = 0;

		for (; at < b->bounds[i].end; at++)
			count += since(d, at);
		if (count == 0) {
			held += any;
			continue;
		}
		for (uint32_t k = i - held; k <= i; k++) {
			buf_printf(out, "%s{\"le\":", any ? "," : "");
			add_real(out, b->bounds[k].value);
			buf_printf(out, ",\"count\":%" PRIu64 "}", k == i ? count : 0);
			any = true;
		}
		held = 0;
	}
}

static void add_histogram(struct buf *out, const struct drawn *d)
{
	static const struct {
		const char *name;
		double share;
	} quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}};
	const struct buckets *b = &d->column->buckets;
	uint64_t count = count_all(d);

	buf_printf(out, "{\"count\":%" PRIu64 ",\"sum\":", count);
	add_real(out, (double)since(d, b->count) * b->multiplier);
	for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++) {
		buf_printf(out, ",\"%s\":", quantiles[i].name);
		add_real(out, quantile(d, count, quantiles[i].share));
	}
	buf_add_str(out, ",\"max\":");
	add_real(out, most(d));
	buf_add_str(out, ",\"buckets\":[");
	add_buckets(out, d);
	buf_add_str(out, "]}");
}

/* ---- rows ---- */

static void add_key(struct buf *out, const char *name, const char *suffix)
{
	buf_printf(out, ",\"%s%s\":", name, suffix);
}

static void add_rate(struct buf *out, const struct sheet_column *c, const struct sheet_result *r,
		     uint64_t now, uint64_t before)
{
	uint64_t grown = now >= before ? now - before : now;

	add_key(out, c->config->name.text, "_per_second");
	add_real(out, r->seconds > 0 ? scaled(c, grown) / r->seconds : 0);
}

static void add_cell(struct buf *out, const struct sheet_column *c, const struct sheet_result *r,
		     const uint64_t *now, const uint64_t *before)
{
	uint64_t number = now[c->word];

	add_key(out, c->config->name.text, "");
	if (c->kind == SHEET_HISTOGRAM)
		add_histogram(out, &(struct drawn){c, now, before});
	else if (c->config->unit == UNIT_AGE)
		add_age(out, c, number, r->now_ns);
	else
		add_number(out, c, number);
	if (c->kind == SHEET_COUNTER && r->before)
		add_rate(out, c, r, number, before ? before[c->word] : 0);
}

static void add_numbers(struct buf *out, const struct sheet *s, const struct sheet_result *r,
			const uint64_t *now, const uint64_t *before)
{
	for (size_t i = 0; i < s->n_columns; i++) {
		if (s->columns[i].kind != SHEET_TEXT)
			add_cell(out, &s->columns[i], r, now, before);
	}
}

static void add_text(struct buf *out, const struct sheet_text *t)
{
	_cleanup_buf_ struct buf text = {0};

	buf_add(&text, t->text, t->len);
	json_add_string(out, buf_str(&text));
}

static void add_row(struct buf *out, const struct sheet *s, const struct sheet_result *r,
		    uint32_t row)
{
	const uint64_t *now = r->rows->numbers + (size_t)row * r->rows->words;

	buf_printf(out, "{\"entries\":%" PRIu64, now[WORD_ENTRIES]);
	for (size_t i = 0; i < s->n_columns; i++) {
		struct sheet_text text;

		if (!r->query->by[i])
			continue;
		text = sheet_row_text(r->query, r->rows, row, i);
		add_key(out, s->columns[i].config->name.text, "");
		add_text(out, &text);
	}
	add_numbers(out, s, r, now, sheet_row_before(r, row));
	buf_add_char(out, '}');
}

static void add_sums(struct buf *out, const char *name, const struct sheet *s,
		     const struct sheet_result *r, size_t rows, const uint64_t *now,
		     const uint64_t *before)
{
	buf_printf(out, ",\"%s\":{\"rows\":%zu,\"entries\":%" PRIu64, name, rows,
		   now[WORD_ENTRIES]);
	add_numbers(out, s, r, now, before);
	buf_add_char(out, '}');
}

/* ---- the whole ---- */

/* What quantiles are headed by is whose they are, unless there are others. */
static bool is_only_histogram(const struct sheet *s, const struct sheet_column *column)
{
	for (size_t i = 0; i < s->n_columns; i++) {
		if ((s->columns[i].kind == SHEET_HISTOGRAM) != (&s->columns[i] == column))
			return false;
	}
	return true;
}

/* "retransmitted_bytes" → "RETRANSMITTED BYTES" */
static void add_header(struct buf *out, const struct sheet *s, const struct sheet_column *column)
{
	_cleanup_buf_ struct buf text = {0};
	const struct column_config *c = column->config;

	if (c->header.text || is_only_histogram(s, column)) {
		json_add_string(out, c->header.text ? c->header.text : "COUNT");
		return;
	}
	buf_add_str(&text, c->name.text);
	for (size_t i = 0; i < text.len; i++) {
		char *letter = &text.data[i];

		if (*letter == '_')
			*letter = ' ';
		else if (*letter >= 'a' && *letter <= 'z')
			*letter = (char)(*letter - 'a' + 'A');
	}
	json_add_string(out, buf_str(&text));
}

void sheet_write_columns(struct buf *out, const struct sheet *s, const struct sheet_query *q)
{
	bool any = false;

	buf_add_str(out, "\"columns\":[");
	for (size_t i = 0; i < s->n_columns; i++) {
		const struct sheet_column *c = &s->columns[i];

		if (c->kind == SHEET_TEXT && !q->by[i])
			continue;
		buf_printf(out, "%s{\"name\":\"%s\",\"header\":", any ? "," : "",
			   c->config->name.text);
		add_header(out, s, c);
		buf_printf(out,
			   ",\"kind\":\"%s\",\"unit\":\"%s\",\"filter\":\"%s\",\"importance\":%u}",
			   kind_names[c->kind], column_unit_name(c->config->unit),
			   column_filter_name(c->config->filter), c->config->importance);
		any = true;
	}
	buf_add_char(out, ']');
}

static void add_head(struct buf *out, const struct sheet *s, const struct sheet_result *r)
{
	const struct table_config *t = s->config;

	buf_printf(out, "{\"table\":\"%s\",\"help\":", t->name.text);
	json_add_string(out, t->help.text);
	buf_add_str(out, ",\"empty\":");
	json_add_string(out, t->empty.text ? t->empty.text : "nothing has been counted yet");
	buf_add_str(out, ",\"time\":");
	buf_printf(out, "%.3f", clock_realtime_seconds());
	buf_add_str(out, ",\"seconds\":");
	if (r->before)
		add_real(out, r->seconds);
	else
		buf_add_str(out, "null");
	buf_add_str(out, ",\"by\":");
	json_add_string(out, r->query->by_name ? r->query->by_name : "");
	buf_printf(out, ",\"sort\":\"%s\",\"draw\":%s,\"undecodable\":%" PRIu64,
		   s->columns[r->query->sort].config->name.text, t->draw ? "true" : "false",
		   r->errors);
	buf_add_char(out, ',');
	sheet_write_columns(out, s, r->query);
}

void sheet_write_record(struct buf *out, const struct reading *r, const uint8_t *value, double time)
{
	const struct sheet_result result = {.now_ns = clock_monotonic_ns()};
	uint64_t numbers[SHEET_COLUMNS_MAX + WORD_FIRST] = {0};

	buf_printf(out, "{\"time\":%.3f", time);
	for (size_t i = 0; i < r->sheet->n_columns; i++) {
		const struct sheet_column *c = &r->sheet->columns[i];

		if (c->kind == SHEET_TEXT) {
			add_key(out, c->config->name.text, "");
			add_text(out, &r->columns[i]);
			continue;
		}
		numbers[c->word] = number_read(value + c->offset, c->size);
		add_cell(out, c, &result, numbers, NULL);
	}
	buf_add_char(out, '}');
}

void sheet_write_json(const struct sheet *s, const struct sheet_result *r, struct buf *out)
{
	add_head(out, s, r);
	buf_add_str(out, ",\"rows\":[");
	for (size_t i = 0; i < r->n_shown; i++) {
		if (i)
			buf_add_char(out, ',');
		add_row(out, s, r, r->shown[i]);
	}
	buf_add_char(out, ']');
	add_sums(out, "other", s, r, r->n_other, r->other, r->other_before);
	add_sums(out, "total", s, r, r->rows->ids.count, r->total, r->total_before);
	buf_add_str(out, "}\n");
}
