// SPDX-License-Identifier: MIT
#include "cli/answer.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/suggest.h"
#include "config/config.h"

enum { COLUMNS_MAX = 64 };

const char *answer_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

double answer_number(const json_t *object, const char *key)
{
	const json_t *number = json_object_get(object, key);

	return json_is_number(number) ? json_number_value(number) : NAN;
}

bool answer_is_kind(const json_t *column, const char *kind)
{
	return STREQ(answer_text(column, "kind"), kind);
}

/* ---- which columns ---- */

static json_t *find_column(const json_t *columns, const char *name)
{
	json_t *column;
	size_t i;

	json_array_foreach(columns, i, column)
	{
		if (STREQ(answer_text(column, "name"), name))
			return column;
	}
	return NULL;
}

static int unknown_column(const json_t *columns, const char *name, struct error *e)
{
	const char *names[COLUMNS_MAX], *nearest;
	_cleanup_buf_ struct buf list = {0};
	json_t *column;
	size_t i, n = 0;

	json_array_foreach(columns, i, column)
	{
		if (n < COLUMNS_MAX)
			names[n++] = answer_text(column, "name");
	}
	nearest = suggest_nearest(name, names, n);
	for (i = 0; i < n; i++)
		buf_printf(&list, "%s%s", i ? ", " : "", names[i]);
	return error_set_usage(e, "there is no column '%s' here%s%s%s; there are: %s", name,
			       nearest ? ", did you mean '" : "", nearest ? nearest : "",
			       nearest ? "'?" : "", buf_str(&list));
}

static int append(json_t *to, json_t *column, struct error *e)
{
	return json_array_append(to, column) ? error_set(e, -ENOMEM, "no memory") : 0;
}

static int choose_all(const json_t *columns, json_t *to, struct error *e)
{
	json_t *column;
	int err = 0;
	size_t i;

	for (int text = 1; text >= 0 && !err; text--) {
		json_array_foreach(columns, i, column)
		{
			if (!err && answer_is_kind(column, "text") == text)
				err = append(to, column, e);
		}
	}
	return err;
}

static int choose_by_name(const json_t *columns, const struct strv *names, json_t *to,
			  struct error *e)
{
	int err = 0;

	for (size_t i = 0; i < names->count && !err; i++) {
		json_t *column = find_column(columns, names->items[i]);

		err = column ? append(to, column, e) : unknown_column(columns, names->items[i], e);
	}
	return err;
}

static int replace_columns(json_t *answer, json_t *chosen, int err, struct error *e)
{
	if (!err && json_object_set(answer, "columns", chosen))
		err = error_set(e, -ENOMEM, "no memory");
	json_decref(chosen);
	return err;
}

int answer_choose_columns(json_t *answer, const struct strv *names, struct error *e)
{
	json_t *chosen;
	int err;

	if (!names->count)
		return 0;
	chosen = json_array();
	err = choose_by_name(json_object_get(answer, "columns"), names, chosen, e);
	return replace_columns(answer, chosen, err, e);
}

int answer_put_texts_first(json_t *answer, struct error *e)
{
	json_t *chosen = json_array();
	int err = choose_all(json_object_get(answer, "columns"), chosen, e);

	return replace_columns(answer, chosen, err, e);
}

/* ---- rows of nothing ---- */

static bool is_zero(const json_t *value)
{
	if (json_is_object(value))
		return answer_number(value, "count") == 0;
	return !json_is_number(value) || json_number_value(value) == 0;
}

static bool is_zero_row(const json_t *row, const json_t *columns)
{
	json_t *column;
	size_t i;

	json_array_foreach(columns, i, column)
	{
		if (!answer_is_kind(column, "text") &&
		    !is_zero(json_object_get(row, answer_text(column, "name"))))
			return false;
	}
	return true;
}

void answer_drop_zero_rows(json_t *table)
{
	const json_t *columns = json_object_get(table, "columns");
	json_t *rows = json_object_get(table, "rows"), *other = json_object_get(table, "other");

	for (size_t i = json_array_size(rows); i > 0; i--) {
		if (is_zero_row(json_array_get(rows, i - 1), columns))
			json_array_remove(rows, i - 1);
	}
	if (other && is_zero_row(other, columns))
		json_object_set_new(other, "rows", json_integer(0));
}

/* ---- how they are laid out ---- */

/* Numbers with their units, "999 kB", "23h59m"; what the filters look at, as it mostly is. */
static const size_t unit_rooms[] = {
	[UNIT_NONE] = 0,    [UNIT_COUNT] = 0,   [UNIT_BYTES] = 7,
	[UNIT_PACKETS] = 5, [UNIT_SECONDS] = 7, [UNIT_AGE] = 7,
};
static const size_t filter_rooms[] = {
	[FILTER_NONE] = 0,     [FILTER_ADDRESS] = 15,  [FILTER_PORT] = 5,
	[FILTER_PROCESS] = 12, [FILTER_INTERFACE] = 5,
};

size_t answer_room(const json_t *column)
{
	const char *unit = answer_text(column, "unit"), *filter = answer_text(column, "filter");
	size_t room = 0;

	for (size_t i = 0; i < ARRAY_SIZE(unit_rooms); i++) {
		if (STREQ(unit, column_unit_name((enum column_unit)i)))
			room = unit_rooms[i];
	}
	for (size_t i = 0; i < ARRAY_SIZE(filter_rooms); i++) {
		if (STREQ(filter, column_filter_name((enum column_filter)i)))
			room = MAX(room, filter_rooms[i]);
	}
	return room;
}

struct grid_column answer_grid_column(const json_t *column, const char *header)
{
	const json_t *importance = json_object_get(column, "importance");

	return (struct grid_column){
		.name = answer_text(column, "name"),
		.header = header,
		.right = !answer_is_kind(column, "text"),
		.importance = (unsigned)json_integer_value(importance),
	};
}
