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
} quantiles[] = {{"p50", "P50"}, {"p90", "P90"}, {"p99", "P99"}, {"max", "MAX"}};

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

/* What histograms are of has mostly no unit of its own here, and is seconds. */
static struct quantity format_observed(const json_t *column, double number)
{
	const char *unit = answer_text(column, "unit");

	return STREQ(unit, "none") ? quantity_seconds(number)
				   : quantity_format(number, unit, false);
}

static void add_histogram(struct grid *g, const json_t *column, const json_t *histogram)
{
	grid_add(g, quantity_format(answer_number(histogram, "count"), "count", false).text);
	for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++) {
		double number = answer_number(histogram, quantiles[i].key);

		grid_add(g, isnan(number) ? "-" : format_observed(column, number).text);
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
			add_histogram(g, column, json_object_get(row, name));
		} else if (!answer_is_kind(column, "text")) {
			add_number(g, row, column);
		} else {
			const char *text = answer_text(row, name);

			grid_add(g, instead ? instead : *text ? text : "-");
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

/* RUN_LEAST: empty buckets that are one line; LINES_MORE: what is said below. */
enum { RUN_LEAST = 3, LINES_MORE = 2 };

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

static void add_summary(struct buf *out, const json_t *column, const json_t *histogram)
{
	buf_printf(out, ": %s observed",
		   quantity_format(answer_number(histogram, "count"), "count", false).text);
	for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++) {
		double number = answer_number(histogram, quantiles[i].key);

		if (!isnan(number))
			buf_printf(out, ", %s %s", quantiles[i].key,
				   format_observed(column, number).text);
	}
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

static size_t bar_width(size_t width)
{
	size_t fixed = LABEL_WIDTH + COUNT_WIDTH + 6;

	if (!width)
		return BAR_MOST;
	return width > fixed + BAR_LEAST ? MIN(width - fixed, (size_t)BAR_MOST) : BAR_LEAST;
}

static void draw_bucket(struct buf *out, const json_t *column, const json_t *bucket, double eighths)
{
	double le = answer_number(bucket, "le");

	buf_add_str(out, "  ≤");
	pad_left(out, isnan(le) ? "∞" : format_observed(column, le).text, LABEL_WIDTH);
	pad_left(out, quantity_format(answer_number(bucket, "count"), "count", false).text,
		 COUNT_WIDTH);
	buf_add_str(out, " │");
	add_bar(out, (unsigned)ceil(eighths * answer_number(bucket, "count")));
	buf_add_char(out, '\n');
}

/* How many buckets from @index on are empty. */
static size_t empty_run(const json_t *buckets, size_t index)
{
	size_t n = 0;

	while (index + n < json_array_size(buckets) &&
	       answer_number(json_array_get(buckets, index + n), "count") == 0)
		n++;
	return n;
}

/* A line for each, but only one for several that are empty. */
static void draw_buckets(struct buf *out, const json_t *column, const json_t *buckets, size_t width)
{
	double eighths = 8 * (double)bar_width(width) / largest(buckets);
	size_t run;

	for (size_t i = 0; i < json_array_size(buckets); i += MAX(run, (size_t)1)) {
		run = empty_run(buckets, i);
		if (run < RUN_LEAST) {
			draw_bucket(out, column, json_array_get(buckets, i), eighths);
			run = 0;
		} else {
			pad_left(out, "⋮", LABEL_WIDTH);
			buf_add_char(out, '\n');
		}
	}
}

static void draw_histogram(const json_t *row, const json_t *columns, const json_t *column,
			   size_t width, struct buf *out)
{
	const json_t *histogram = json_object_get(row, answer_text(column, "name"));
	_cleanup_buf_ struct buf title = {0};

	add_title(&title, row, columns);
	add_summary(&title, column, histogram);
	if (buf_ok(&title))
		grid_add_wrapped(out, title.data, width ? width : SIZE_MAX);
	draw_buckets(out, column, json_object_get(histogram, "buckets"), width);
}

static size_t lines_of(const struct buf *text)
{
	size_t lines = 0;

	for (size_t i = 0; i < text->len; i++)
		lines += text->data[i] == '\n';
	return lines;
}

/* All histograms of a row. */
static void draw_row(const json_t *row, const json_t *columns, size_t width, struct buf *out)
{
	json_t *column;
	size_t i;

	json_array_foreach(columns, i, column)
	{
		if (!answer_is_kind(column, "histogram"))
			continue;
		if (out->len)
			buf_add_char(out, '\n');
		draw_histogram(row, columns, column, width, out);
	}
}

/* As many rows as there are lines for, but at least one. */
static void write_histograms(const json_t *table, struct table_layout *layout, struct buf *out)
{
	const json_t *columns = json_object_get(table, "columns"), *row;
	const json_t *rows = json_object_get(table, "rows");
	size_t most = layout->height > LINES_MORE ? layout->height - LINES_MORE : 1, i, lines = 0;
	long long left;

	for (i = 0; (row = json_array_get(rows, i)); i++) {
		_cleanup_buf_ struct buf drawn = {0};

		draw_row(row, columns, layout->width, &drawn);
		lines += lines_of(&drawn) + (i > 0);
		if (i && layout->height && lines > most)
			break;
		if (i)
			buf_add_char(out, '\n');
		buf_add(out, drawn.data, drawn.len);
	}
	left = (long long)(json_array_size(rows) - i) + count_of(table, "other");
	if (left)
		buf_printf(out, "\n%lld more: --limit 0 for all, --where COLUMN=TEXT to choose\n",
			   left);
}

void table_view_write(const json_t *table, struct table_layout *layout, struct buf *out)
{
	if (layout->draw || (json_is_true(json_object_get(table, "draw")) && !layout->summary))
		write_histograms(table, layout, out);
	else
		write_grid(table, layout, out);
}
