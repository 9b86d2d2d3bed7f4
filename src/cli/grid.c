// SPDX-License-Identifier: MIT
#include "cli/grid.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/utf8.h"

enum { GAP = 2, TEXT_LEAST = 8 };

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

void grid_free(struct grid *g)
{
	strv_free(&g->cells);
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

static size_t total_width(const size_t *widths, size_t n)
{
	size_t sum = n ? (n - 1) * GAP : 0;

	for (size_t i = 0; i < n; i++)
		sum += widths[i];
	return sum;
}

/* Takes columns from the widest text until all fits, or no text is wide. */
static void shrink(const struct grid *g, size_t *widths, size_t width)
{
	while (total_width(widths, g->n) > width) {
		size_t widest = g->n;

		for (size_t i = 0; i < g->n; i++) {
			if (!g->right[i] && widths[i] > TEXT_LEAST &&
			    (widest == g->n || widths[i] > widths[widest]))
				widest = i;
		}
		if (widest == g->n)
			return;
		widths[widest]--;
	}
}

static void add_blanks(struct buf *out, size_t count)
{
	while (count--)
		buf_add_char(out, ' ');
}

static void add_cell(const struct grid *g, size_t column, const char *text, size_t width,
		     struct buf *out)
{
	size_t length = MIN(utf8_length(text), width);

	if (g->right[column])
		add_blanks(out, width - length);
	grid_add_cut(out, text, width);
	if (!g->right[column] && column + 1 < g->n)
		add_blanks(out, width - length);
}

void grid_render(const struct grid *g, size_t width, struct buf *out)
{
	size_t widths[GRID_COLUMNS_MAX] = {0};

	for (size_t i = 0; i < g->cells.count; i++)
		widths[i % g->n] = MAX(widths[i % g->n], utf8_length(g->cells.items[i]));
	if (width)
		shrink(g, widths, width);
	for (size_t i = 0; i < g->cells.count; i++) {
		size_t column = i % g->n;

		add_cell(g, column, g->cells.items[i], widths[column], out);
		if (column + 1 < g->n)
			add_blanks(out, GAP);
		else
			buf_add_char(out, '\n');
	}
}

struct terminal terminal_size(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		return (struct terminal){0};
	return (struct terminal){size.ws_row, size.ws_col};
}
