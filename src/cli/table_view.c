// SPDX-License-Identifier: MIT
#include "cli/table_view.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "cli/answer.h"
#include "cli/quantity.h"

/* ---- what is in the answer ---- */

/* Between two reads counters are shown as rates. */
static bool has_rates(const json_t *table)
{
	return json_is_number(json_object_get(table, "seconds"));
}

/* ---- cells ---- */

static const struct {
	const char *key, *header;
} quantiles[] = {{"p50", "P50"}, {"p90", "P90"}, {"p99", "P99"}};

static void add_column(struct grid *g, const json_t *column, bool rates)
{
	_cleanup_buf_ struct buf text = {0};
	struct grid_column c;

	buf_add_str(&text, answer_text(column, "header"));
	if (rates && answer_is_kind(column, "counter"))
		buf_add_str(&text, "/s");
	c = answer_grid_column(column, buf_str(&text));
	grid_add_column(g, &c);
	for (size_t i = 0; answer_is_kind(column, "histogram") && i < ARRAY_SIZE(quantiles); i++) {
		c.header = quantiles[i].header;
		grid_add_column(g, &c);
	}
}

static void add_histogram(struct grid *g, const json_t *histogram)
{
	grid_add(g, quantity_format(answer_number(histogram, "count"), "count", false).text);
	for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++) {
		double number = answer_number(histogram, quantiles[i].key);

		grid_add(g, isnan(number) ? "-" : quantity_seconds(number).text);
	}
}

static void add_number(struct grid *g, const json_t *row, const json_t *column)
{
	const char *name = answer_text(column, "name"), *unit = answer_text(column, "unit");
	char key[256];
	double rate;

	snprintf(key, sizeof(key), "%s_per_second", name);
	rate = answer_number(row, key);
	if (!isnan(rate))
		grid_add(g, quantity_format(rate, unit, true).text);
	else
		grid_add(g, quantity_format(answer_number(row, name), unit, false).text);
}

static void add_cells(struct grid *g, const json_t *row, const json_t *columns, const char *instead)
{
	json_t *column;
	size_t i;

	json_array_foreach(columns, i, column)
	{
		const char *name = answer_text(column, "name");

		if (answer_is_kind(column, "histogram")) {
			add_histogram(g, json_object_get(row, name));
		} else if (!answer_is_kind(column, "text")) {
			add_number(g, row, column);
		} else {
			grid_add(g, instead ? instead : answer_text(row, name));
			instead = instead ? "" : NULL;
		}
	}
}

/* ---- a table ---- */

static long long count_of(const json_t *table, const char *key)
{
	return json_integer_value(json_object_get(json_object_get(table, key), "rows"));
}

static void start_grid(struct grid *g, const json_t *table)
{
	const json_t *columns = json_object_get(table, "columns");
	bool rates = has_rates(table);
	json_t *column;
	size_t i;

	json_array_foreach(columns, i, column) add_column(g, column, rates);
}

/* A row that is no entry is told by its first text. */
static void add_sums(struct grid *g, const json_t *table)
{
	const json_t *columns = json_object_get(table, "columns");
	char other[64];

	if (!answer_is_kind(json_array_get(columns, 0), "text"))
		return;
	snprintf(other, sizeof(other), "other (%lld)", count_of(table, "other"));
	if (count_of(table, "other"))
		add_cells(g, json_object_get(table, "other"), columns, other);
	if (count_of(table, "total") > 1)
		add_cells(g, json_object_get(table, "total"), columns, "total");
}

/* Who watches has columns of numbers that do not jump back and forth. */
static void lay_out(struct grid *g, struct table_layout *layout)
{
	for (size_t i = 0; i < g->n; i++)
		g->columns[i].widest = MAX(g->columns[i].widest, layout->widest[i]);
	grid_lay_out(g, layout->width);
	for (size_t i = 0; i < g->n; i++)
		layout->widest[i] = g->columns[i].right ? g->columns[i].widest : 0;
}

/* Rows that are over the height are few, as who asks has asked for as many as fit. */
static void write_grid(const json_t *table, struct table_layout *layout, struct buf *out)
{
	const json_t *columns = json_object_get(table, "columns");
	struct grid g = {0};
	json_t *row;
	size_t i;

	start_grid(&g, table);
	json_array_foreach(json_object_get(table, "rows"), i, row)
	{
		add_cells(&g, row, columns, NULL);
	}
	add_sums(&g, table);
	lay_out(&g, layout);
	grid_write_header(&g, out);
	grid_write_rows(&g, out);
	layout->lines_below = grid_write_left_out(&g, layout->width, out);
	grid_free(&g);
}

/* ---- histograms, drawn ---- */

enum { LABEL_WIDTH = 10, COUNT_WIDTH = 10, BAR_LEAST = 10, BAR_MOST = 60 };

/* A bar of @eighths of a column. */
static void add_bar(struct buf *out, unsigned eighths)
{
	static const char *const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};

	for (; eighths >= 8; eighths -= 8)
		buf_add_str(out, "█");
	buf_add_str(out, parts[eighths]);
}

/* "source 10.0.0.1, port 443" */
static void add_title(struct buf *out, const json_t *row, const json_t *columns)
{
	bool any = false;
	json_t *column;
	size_t i;

	json_array_foreach(columns, i, column)
	{
		if (!answer_is_kind(column, "text"))
			continue;
		buf_printf(out, "%s%s ", any ? ", " : "", answer_text(column, "name"));
		grid_add_visible(out, answer_text(row, answer_text(column, "name")));
		any = true;
	}
}

static void add_summary(struct buf *out, const json_t *histogram)
{
	buf_printf(out, ": %s observed",
		   quantity_format(answer_number(histogram, "count"), "count", false).text);
	for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++) {
		double number = answer_number(histogram, quantiles[i].key);

		if (!isnan(number))
			buf_printf(out, ", %s %s", quantiles[i].key, quantity_seconds(number).text);
	}
	buf_add_char(out, '\n');
}

static double largest(const json_t *buckets)
{
	double most = 1;
	json_t *bucket;
	size_t i;

	json_array_foreach(buckets, i, bucket) most = MAX(most, answer_number(bucket, "count"));
	return most;
}

static void pad_left(struct buf *out, const char *text, size_t width)
{
	size_t length = utf8_length(text);

	buf_printf(out, "%*s%s", length < width ? (int)(width - length) : 0, "", text);
}

static void draw_buckets(struct buf *out, const json_t *buckets, size_t width)
{
	size_t fixed = LABEL_WIDTH + COUNT_WIDTH + 6;
	size_t bar = width > fixed + BAR_LEAST ? MIN(width - fixed, (size_t)BAR_MOST) : BAR_LEAST;
	double most = largest(buckets);
	json_t *bucket;
	size_t i;

	if (!width)
		bar = BAR_MOST;
	json_array_foreach(buckets, i, bucket)
	{
		double count = answer_number(bucket, "count");
		unsigned eighths = (unsigned)ceil(8 * (double)bar * count / most);

		buf_add_str(out, "  ≤");
		pad_left(out, quantity_seconds(answer_number(bucket, "le")).text, LABEL_WIDTH);
		pad_left(out, quantity_format(count, "count", false).text, COUNT_WIDTH);
		buf_add_str(out, " │");
		add_bar(out, eighths);
		buf_add_char(out, '\n');
	}
}

static void write_histograms(const json_t *table, struct table_layout *layout, struct buf *out)
{
	const json_t *columns = json_object_get(table, "columns");
	json_t *row, *column;
	size_t i, k;

	json_array_foreach(json_object_get(table, "rows"), i, row)
	{
		json_array_foreach(columns, k, column)
		{
			const json_t *h = json_object_get(row, answer_text(column, "name"));

			if (!answer_is_kind(column, "histogram") || answer_number(h, "count") == 0)
				continue;
			if (i)
				buf_add_char(out, '\n');
			add_title(out, row, columns);
			add_summary(out, h);
			draw_buckets(out, json_object_get(h, "buckets"), layout->width);
		}
	}
	if (count_of(table, "other"))
		buf_printf(out, "\n%lld more; all of them: --limit 0\n", count_of(table, "other"));
}

void table_view_write(const json_t *table, struct table_layout *layout, struct buf *out)
{
	if (json_is_true(json_object_get(table, "draw")) && !layout->summary)
		write_histograms(table, layout, out);
	else
		write_grid(table, layout, out);
}
