/* SPDX-License-Identifier: MIT */
/*
 * A map as people look at it: what a `tables:` row of a config describes. It is read when somebody
 * asks and only then, apart from the collector that scrapes the same map.
 *
 *	map ──► entry ──► texts (decoders) ──► filters ──► row of its group, numbers merged
 *	                        all rows ──► the largest by the sort column, and `other`
 *
 * Who watches keeps a session, by a number of their choice: numbers of the last time are kept then,
 * for rates.
 */
#pragma once

#include <stdint.h>

#include "decode/decoder.h"
#include "kernel/feed.h"
#include "kernel/object.h"
#include "metrics/layout.h"

struct sheet; /* opaque */

/* How many rows an answer may have. */
enum { SHEET_ROWS_MAX = 100000 };

/*
 * @map and @metric are what @table is about; @feed is where the entries come from, and stays whose
 * it is; NULL: the map is read. All but @labels must outlive the sheet. What is wrong with the
 * config for this map goes to @report at its place.
 */
int sheet_new(const struct table_config *table, const struct metric_config *metric,
	      const struct source *source, const struct map_info *map, struct feed *feed,
	      const struct decode_env *env, const struct label_switch *labels,
	      struct report *report, struct sheet **ret);
void sheet_free(struct sheet *s);

const struct table_config *sheet_config(const struct sheet *s);

/* "address=10.0.0.0/8": @name is one of address, port, process and interface, for the columns
 * that the config says such a filter looks at; or with @column that of a column, and the value a
 * glob. */
struct sheet_filter {
	const char *name;
	bool column;
	const char *value;
};

/* What is asked, in the words of whoever asks; NULL: as the table has it. */
struct sheet_question {
	const char *by;                     /* the name of a group, or columns between commas */
	const char *sort;                   /* a column */
	uint32_t limit;                     /* rows; 0 = all */
	uint64_t session;                   /* 0: this once */
	bool end;                           /* of the session: nothing else is asked */
	const struct sheet_filter *filters; /* of one name, one must fit; of all names */
	size_t n_filters;
};

/*
 * Reads the map and writes the answer to @out, as one JSON object:
 *
 *	table, help		in words, and `empty`: what it means that there are no rows
 *	time			since 1970
 *	seconds			since the last time in this session; null
 *	by, sort, draw
 *	columns			[{name, header, kind, unit, filter, importance}]: those that
 *				rows have
 *	rows			[{NAME: text or number, NAME_per_second: …}]
 *	other			what the rows left out add up to, `rows` of them
 *	total			all of it
 *
 * kind: text, counter, gauge, histogram. A histogram is {count, sum, p50, p90, p99, max,
 * buckets: [{le, count}]}, in a session of what came since the last time. One caller at a time.
 */
int sheet_answer(struct sheet *s, const struct sheet_question *q, struct buf *out, struct error *e);

/* An entry that did not come out of a map: a record, which is a value without a key. */
struct sheet_record {
	const uint8_t *data;
	double time; /* since 1970 */
};

/* Writes "columns":[…],"rows":[…] of @count records that fit the filters of @q, each with a `time`;
 * @at gives them by their index. */
int sheet_answer_records(struct sheet *s, const struct sheet_question *q, size_t count,
			 struct sheet_record (*at)(const void *ctx, size_t index), const void *ctx,
			 struct buf *out, struct error *e);

/* Forgets sessions that nobody has gone on with for long. */
void sheet_expire(struct sheet *s);
