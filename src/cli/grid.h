/* SPDX-License-Identifier: MIT */
/*
 * A table in a terminal: numbers to the right, texts to the left. Where it does not fit the width,
 * texts are cut in their middle, as both ends of an address or a path say something; where that
 * does not help, whole columns are left out, the least important first, and named.
 */
#pragma once

#include "base/buf.h"
#include "base/strv.h"

enum { GRID_COLUMNS_MAX = 128 };

struct grid_column {
	const char *name;   /* what --columns takes; NULL: it is not chosen by a name */
	const char *header; /* as shown */
	bool right;
	unsigned importance; /* of what is left out, the least goes first; of equal ones the last */
	size_t widest; /* characters of its widest cell so far, or that it should have room for */
	size_t width;  /* that it is laid out in, 0: it is left out */
};

struct grid {
	size_t n; /* columns */
	struct grid_column columns[GRID_COLUMNS_MAX];
	struct strv cells; /* not written yet */
};

/* The next column, whose texts are copied. */
void grid_add_column(struct grid *g, const struct grid_column *column);

/* The next cell. What a terminal would take for a command is made visible. */
void grid_add(struct grid *g, const char *text);

/* Lays out the columns for the cells there are and were; @width: columns of the terminal, 0 = any.
 * True when it is not as it was, so that a header that was written is out of place. The first
 * column is never left out. */
bool grid_lay_out(struct grid *g, size_t width);

/* How many columns are not left out. */
size_t grid_shown(const struct grid *g);

/* Appends the line of headers; the lines of the cells, which are forgotten then. */
void grid_write_header(const struct grid *g, struct buf *out);
void grid_write_rows(struct grid *g, struct buf *out);

/* Appends lines of at most @width that say which columns are left out, and how to see them; gives
 * back how many, 0 when all are there. */
size_t grid_write_left_out(const struct grid *g, size_t width, struct buf *out);

/* Appends @text, which it takes apart, in lines of at most @width, between words; gives back how
 * many. */
size_t grid_add_wrapped(struct buf *out, char *text, size_t width);

void grid_free(struct grid *g);

/* Appends @text without what a terminal would take for a command. */
void grid_add_visible(struct buf *out, const char *text);

/* Appends at most @width columns of @text, "…" in the middle of what is longer. */
void grid_add_cut(struct buf *out, const char *text, size_t width);

/* Lines and columns of the terminal that stdout is; 0 when it is none. */
struct terminal {
	size_t rows, columns;
};
struct terminal terminal_size(void);
