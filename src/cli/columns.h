/* SPDX-License-Identifier: MIT */
/* A table for people: columns as wide as their widest cell. */
#pragma once

#include "base/strv.h"

struct columns {
	struct strv cells;
	size_t n; /* columns */
};

/* Adds one row of @c->n cells; NULL is an empty cell. */
void columns_add(struct columns *c, ...);

/* Prints it to stdout, the first row as the heading, and empties it. */
void columns_print(struct columns *c);

/*
 * Prints @text and a newline to stdout: on a terminal wrapped between words, so that it stays
 * behind column @indent; elsewhere in one line, for grep.
 */
void print_wrapped(const char *text, size_t indent);

/* Prints @text to stdout, and blanks up to @width characters (printf would count bytes). */
void print_padded(const char *text, size_t width);
