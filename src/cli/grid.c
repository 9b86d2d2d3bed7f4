// SPDX-License-Identifier: MIT
#include "cli/grid.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/utf8.h"

/* What an IPv4 address needs: a text that is cut to less says little. */
enum { GAP = 2, TEXT_LEAST = 15 };

/* C0 and DEL, and what begins a C1 control in UTF-8 (ECMA-48). */
void grid_add_visible(struct buf *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text, next = (unsigned char)text[1];

		if (c < 0x20 || c == 0x7f) {
			buf_add_char(out, '?');
		} else if (c == 0xc2 && next >= 0x80 && next < 0xa0) {
			buf_add_char(out, '?');
			text++;
		} else {
			buf_add_char(out, *text);
		}
	}
}

void grid_add(struct grid *g, const char *text)
{
	_cleanup_buf_ struct buf visible = {0};

	grid_add_visible(&visible, text);
	strv_add(&g->cells, buf_str(&visible), visible.len);
}

void grid_add_column(struct grid *g, const struct grid_column *column)
{
	struct grid_column *to = &g->columns[g->n];

	if (g->n == GRID_COLUMNS_MAX)
		return;
	*to = *column;
	to->name = column->name ? strdup(column->name) : NULL;
	to->header = strdup(column->header);
	to->widest = MAX(to->widest, utf8_length(to->header ? to->header : ""));
	g->n++;
}

void grid_free(struct grid *g)
{
	for (size_t i = 0; i < g->n; i++) {
		free((char *)g->columns[i].name);
		free((char *)g->columns[i].header);
	}
	strv_free(&g->cells);
	*g = (struct grid){0};
}

/* The byte at which character @index of @text begins. */
static const char *character(const char *text, size_t index)
{
	while (index-- && *text) {
		text++;
		while (((unsigned char)*text & 0xc0) == 0x80)
			text++;
	}
	return text;
}

void grid_add_cut(struct buf *out, const char *text, size_t width)
{
	size_t length = utf8_length(text), front, back;

	if (length <= width) {
		buf_add_str(out, text);
		return;
	}
	if (width == 0)
		return;
	front = width / 2;
	back = width - 1 - front;
	buf_add(out, text, (size_t)(character(text, front) - text));
	buf_add_str(out, "…");
	buf_add_str(out, character(text, length - back));
}

/* ---- layout ---- */

static size_t total_width(const struct grid *g)
{
	size_t sum = 0;

	for (size_t i = 0; i < g->n; i++)
		sum += g->columns[i].width ? g->columns[i].width + (sum ? GAP : 0) : 0;
	return sum;
}

/* Takes columns of the terminal from the widest text until all fits; false: no text is wide. */
static bool shrink(struct grid *g, size_t width, size_t least)
{
	while (total_width(g) > width) {
		struct grid_column *widest = NULL;

		for (size_t i = 0; i < g->n; i++) {
			struct grid_column *c = &g->columns[i];

			if (!c->right && c->width > least && (!widest || c->width > widest->width))
				widest = c;
		}
		if (!widest)
			return false;
		widest->width--;
	}
	return true;
}

/* False when only the first is left. */
static bool leave_out_one(struct grid *g)
{
	struct grid_column *least = NULL;

	for (size_t i = 1; i < g->n; i++) {
		struct grid_column *c = &g->columns[i];

		if (c->width && (!least || c->importance <= least->importance))
			least = c;
	}
	if (least)
		least->width = 0;
	return least != NULL;
}

/* Texts have again what they gave to a column that is left out now. */
static void widen(struct grid *g)
{
	for (size_t i = 0; i < g->n; i++) {
		if (g->columns[i].width)
			g->columns[i].width = g->columns[i].widest;
	}
}

static void fit(struct grid *g, size_t width)
{
	while (!shrink(g, width, TEXT_LEAST)) {
		if (!leave_out_one(g)) {
			shrink(g, width, 1);
			return;
		}
		widen(g);
	}
}

bool grid_lay_out(struct grid *g, size_t width)
{
	size_t before[GRID_COLUMNS_MAX] = {0};
	bool same = true;

	for (size_t i = 0; i < g->cells.count; i++) {
		struct grid_column *c = &g->columns[i % g->n];

		c->widest = MAX(c->widest, utf8_length(g->cells.items[i]));
	}
	for (size_t i = 0; i < g->n; i++) {
		before[i] = g->columns[i].width;
		g->columns[i].width = MAX(g->columns[i].widest, (size_t)1);
	}
	if (width)
		fit(g, width);
	for (size_t i = 0; i < g->n; i++)
		same &= before[i] == g->columns[i].width;
	return !same;
}

size_t grid_shown(const struct grid *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++)
		n += g->columns[i].width > 0;
	return n;
}

/* ---- lines ---- */

static void add_blanks(struct buf *out, size_t count)
{
	while (count--)
		buf_add_char(out, ' ');
}

static void add_cell(const struct grid_column *c, const char *text, struct buf *out)
{
	size_t length = MIN(utf8_length(text), c->width);

	if (c->right)
		add_blanks(out, c->width - length);
	grid_add_cut(out, text, c->width);
	if (!c->right)
		add_blanks(out, c->width - length);
}

/* @text: that of column @index. */
static void add_to_line(const struct grid *g, size_t index, const char *text, struct buf *out)
{
	if (!g->columns[index].width)
		return;
	if (index)
		add_blanks(out, GAP);
	add_cell(&g->columns[index], text, out);
}

/* Without the blanks that would fill up its last column. */
static void end_line(struct buf *out)
{
	while (out->len && out->data[out->len - 1] == ' ')
		out->len--;
	buf_add_char(out, '\n');
}

void grid_write_header(const struct grid *g, struct buf *out)
{
	for (size_t i = 0; i < g->n; i++)
		add_to_line(g, i, g->columns[i].header ? g->columns[i].header : "", out);
	end_line(out);
}

void grid_write_rows(struct grid *g, struct buf *out)
{
	for (size_t i = 0; i < g->cells.count; i++) {
		add_to_line(g, i % g->n, g->cells.items[i], out);
		if (i % g->n + 1 == g->n)
			end_line(out);
	}
	strv_free(&g->cells);
}

/* ---- what is left out ---- */

static bool is_named_before(const struct grid *g, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (!g->columns[i].width && g->columns[i].name &&
		    STREQ(g->columns[i].name, g->columns[index].name))
			return true;
	}
	return false;
}

/* "rtt, cwnd" */
static void add_left_out(const struct grid *g, struct buf *text)
{
	for (size_t i = 0; i < g->n; i++) {
		if (!g->columns[i].width && g->columns[i].name && !is_named_before(g, i))
			buf_printf(text, "%s%s", text->len ? ", " : "", g->columns[i].name);
	}
}

size_t grid_add_wrapped(struct buf *out, char *text, size_t width)
{
	size_t at = 0, lines = 1;
	const char *word;

	while ((word = strsep(&text, " "))) {
		size_t length = utf8_length(word);

		if (at && at + 1 + length > width) {
			buf_add_char(out, '\n');
			at = 0;
			lines++;
		}
		buf_printf(out, "%s%s", at ? " " : "", word);
		at += length + (at ? 1 : 0);
	}
	buf_add_char(out, '\n');
	return lines;
}

size_t grid_write_left_out(const struct grid *g, size_t width, struct buf *out)
{
	_cleanup_buf_ struct buf names = {0}, text = {0};

	add_left_out(g, &names);
	if (!names.len)
		return 0;
	buf_printf(&text, "No room for: %s; --columns NAME,… shows those that you want, --json all",
		   buf_str(&names));
	return buf_ok(&text) ? grid_add_wrapped(out, text.data, width) : 0;
}

struct terminal terminal_size(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		return (struct terminal){0};
	return (struct terminal){size.ws_row, size.ws_col};
}
