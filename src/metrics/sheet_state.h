/* SPDX-License-Identifier: MIT */
/* What a sheet is made of, for sheet.c, which makes and reads it, sheet_query.c, which understands
 * what is asked, and sheet_json.c, which writes the answer. Nobody else includes this. */
#pragma once

#include "metrics/buckets.h"
#include "metrics/layout.h"
#include "metrics/sheet.h"
#include "metrics/view.h"

enum sheet_kind { SHEET_TEXT, SHEET_COUNTER, SHEET_GAUGE, SHEET_HISTOGRAM };

struct sheet_column {
	const struct column_config *config;
	enum sheet_kind kind;
	bool in_value; /* a text: out of the value, by `decoder`; else the layout's `label` */
	size_t label;
	struct label_config as_label; /* what `decoder` is built from */
	struct label_decoder decoder;
	uint32_t offset; /* in the value */
	uint32_t size;
	struct buckets buckets;
	bool array; /* a histogram with its buckets in the value */
	bool has_sum;
	uint32_t sum_offset;
	uint32_t word; /* its first number of a row */
	uint32_t n_words;
};

enum { SHEET_COLUMNS_MAX = 32, SHEET_SESSIONS_MAX = 8 };

/* Numbers of a row, before those of the columns: how many entries it is made of. */
enum { WORD_ENTRIES, WORD_FIRST };

struct sheet_session {
	uint64_t id; /* 0: free */
	uint64_t used_ns;
	uint64_t read_ns;   /* when `before` was read; 0: never */
	struct view before; /* rows of the last time */
};

struct sheet {
	const struct table_config *config;
	const struct metric_config *metric;
	const struct decode_env *env;
	struct map_info map;
	struct feed *feed; /* NULL: the map is opened for each read */
	struct layout layout;
	struct sheet_column *columns;
	size_t n_columns;
	uint32_t words; /* of a row */
	uint64_t seed;
	struct sheet_session sessions[SHEET_SESSIONS_MAX];
};

/* What is asked, understood. */
struct sheet_query {
	bool by[SHEET_COLUMNS_MAX]; /* which columns make a row */
	const char *by_name;
	size_t sort; /* column */
	uint32_t limit;
	const struct sheet_filter *filters;
	size_t n_filters;
	bool needed[SHEET_COLUMNS_MAX]; /* which texts have to be known of an entry */
};

int sheet_query_build(const struct sheet *s, const struct sheet_question *q,
		      struct sheet_query *ret, struct error *e);

/* The texts of one entry, by column; text NULL where they were not needed. */
struct sheet_text {
	const char *text;
	size_t len;
};

bool sheet_query_fits(const struct sheet *s, const struct sheet_query *q,
		      const struct sheet_text *texts);

/* The text of column @column of a row of view @v, which has those of q->by one behind the other. */
struct sheet_text sheet_row_text(const struct sheet_query *q, const struct view *v, uint32_t row,
				 size_t column);

/* Entries being read. */
struct reading {
	struct sheet *sheet;
	const struct sheet_query *query;
	struct view rows;
	struct decode_scratch scratch;
	struct buf texts; /* of one entry, by column */
	struct sheet_text columns[SHEET_COLUMNS_MAX];
	struct buf row_text;
	size_t value_stride;
	uint64_t errors;
	uint8_t *extended_key;
};

/* The texts of an entry that are needed, into r->columns; false for one that is not to be shown. */
bool reading_decode(struct reading *r, const uint8_t *key, const uint8_t *value);
void reading_free(struct reading *r);

/* What is answered. */
struct sheet_result {
	const struct sheet_query *query;
	const struct view *rows;
	const uint32_t *shown; /* rows, in order */
	size_t n_shown;
	const struct view *before; /* NULL: there was no last time */
	double seconds;            /* since then */
	uint64_t now_ns;
	const uint64_t *other, *total;               /* numbers */
	const uint64_t *other_before, *total_before; /* the same of the last time */
	size_t n_other;
	uint64_t errors; /* entries that could not be decoded */
};

/* The number that rows are sorted by: of a counter in a session its growth. */
double sheet_sort_number(const struct sheet_column *c, const uint64_t *now, const uint64_t *before);

/* The numbers that row @row had the last time; NULL. */
const uint64_t *sheet_row_before(const struct sheet_result *r, uint32_t row);

/* "columns":[…] */
void sheet_write_columns(struct buf *out, const struct sheet *s, const struct sheet_query *q);

/* An entry by itself, with what reading_decode() has made of it. @time: since 1970. */
void sheet_write_record(struct buf *out, const struct reading *r, const uint8_t *value,
			double time);

void sheet_write_json(const struct sheet *s, const struct sheet_result *r, struct buf *out);
