/* SPDX-License-Identifier: MIT */
/*
 * A table in a terminal: numbers to the right, texts to the left and, where they do not fit the
 * width, cut in their middle, as both ends of an address or a path say something.
 */
#pragma once

#include "base/buf.h"
#include "base/strv.h"

enum { GRID_COLUMNS_MAX = 128 };

struct grid {
	size_t n;
	bool right[GRID_COLUMNS_MAX];
	struct strv cells;
};

/* The next cell. What a terminal would take for a command is made visible. */
void grid_add(struct grid *g, const char *text);

/* Appends the lines to @out. @width: columns of the terminal, 0 = any. */
void grid_render(const struct grid *g, size_t width, struct buf *out);

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
