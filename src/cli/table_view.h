/* SPDX-License-Identifier: MIT */
/* The answer to a question about a table (control/table.c), written for a person. */
#pragma once

#include <jansson.h>

#include "cli/grid.h"

struct table_layout {
	size_t width;       /* of the terminal; 0 = any */
	size_t height;      /* lines for histograms that are drawn; 0 = any */
	bool draw;          /* histograms, else told by quantiles in a table … */
	bool summary;       /* … which a config may have otherwise, but not with this */
	size_t lines_below; /* the table, the last time */
	size_t widest[GRID_COLUMNS_MAX]; /* of columns the last time; 0 at first */
};

void table_view_write(const json_t *table, struct table_layout *layout, struct buf *out);
