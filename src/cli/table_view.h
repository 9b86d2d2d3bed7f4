/* SPDX-License-Identifier: MIT */
/* The answer to a question about a table (control/table.c), written for a person. */
#pragma once

#include <jansson.h>

#include "cli/grid.h"

struct table_layout {
	size_t width; /* of the terminal; 0 = any */
	bool summary; /* histograms as quantiles in a table, also where the table is one to draw */
	size_t lines_below;              /* the table, the last time */
	size_t widest[GRID_COLUMNS_MAX]; /* of columns the last time; 0 at first */
};

void table_view_write(const json_t *table, struct table_layout *layout, struct buf *out);
