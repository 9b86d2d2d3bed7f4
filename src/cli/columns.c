// SPDX-License-Identifier: MIT
#include "cli/columns.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "base/utf8.h"

enum { COLUMNS_MAX = 16, GAP = 2 };

void columns_add(struct columns *c, ...)
{
	va_list args;

	va_start(args, c);
	for (size_t i = 0; i < c->n; i++) {
		const char *cell = va_arg(args, const char *);

		strv_add(&c->cells, cell ? cell : "", cell ? strlen(cell) : 0);
	}
	va_end(args);
}

void print_padded(const char *text, size_t width)
{
	size_t length = utf8_length(text);

	printf("%s%*s", text, length < width ? (int)(width - length) : 0, "");
}

void columns_print(struct columns *c)
{
	size_t widths[COLUMNS_MAX] = {0};

	for (size_t i = 0; i < c->cells.count; i++) {
		size_t *width = &widths[i % c->n];

		*width = MAX(*width, utf8_length(c->cells.items[i]));
	}
	for (size_t i = 0; i < c->cells.count; i++) {
		size_t column = i % c->n;

		if (column + 1 == c->n)
			printf("%s\n", c->cells.items[i]);
		else
			print_padded(c->cells.items[i], widths[column] + GAP);
	}
	strv_free(&c->cells);
}
