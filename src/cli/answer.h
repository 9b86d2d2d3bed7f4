/* SPDX-License-Identifier: MIT */
/* What the daemon answers about tables and records: its JSON, and how its columns are laid out. */
#pragma once

#include <jansson.h>

#include "base/error.h"
#include "base/strv.h"
#include "cli/grid.h"

/* "" when there is none. */
const char *answer_text(const json_t *object, const char *key);

/* NAN when there is none. */
double answer_number(const json_t *object, const char *key);

/* Whether a column is of "text", "counter", "gauge" or "histogram". */
bool answer_is_kind(const json_t *column, const char *kind);

/* Leaves of the columns of @answer those of @names, in that order; all when @names is empty. */
int answer_choose_columns(json_t *answer, const struct strv *names, struct error *e);

/* Texts say what a row is about, and come before its numbers. */
int answer_put_texts_first(json_t *answer, struct error *e);

/* Takes out of a table's rows those whose numbers are all 0: they were never counted, and are there
 * for a program's sake. */
void answer_drop_zero_rows(json_t *table);

/* What a grid says of @column; @header: in its head. */
struct grid_column answer_grid_column(const json_t *column, const char *header);

/* Characters that a cell of @column may well need, for lines that are written one by one. */
size_t answer_room(const json_t *column);
