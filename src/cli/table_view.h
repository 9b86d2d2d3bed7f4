/* SPDX-License-Identifier: MIT */
/* The answer to a question about a table (control/table.c), written for a person. */
#pragma once

#include <jansson.h>

#include "base/buf.h"

struct table_layout {
	size_t width;  /* of the terminal; 0 = any */
	size_t height; /* lines there are; 0 = any */
	bool summary;  /* histograms as quantiles in a table, also where the table is one to draw */
};

void table_view_write(const json_t *table, const struct table_layout *layout, struct buf *out);
