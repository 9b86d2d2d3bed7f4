// SPDX-License-Identifier: MIT
/* What can be wrong with tables: their columns are labels and values of a map of the same file. */
#include <stdlib.h>

#include "base/suggest.h"
#include "config/language.h"

int check_column(struct binding *at, void *item)
{
	const struct column_config *c = item;

	check_word(at, &c->name);
	if (c->unit == UNIT_AGE && c->merge == MERGE_SUM)
		binding_error(
			at, at->place,
			"points in time cannot be added up: say `merge: max` for the last one, "
			"or min");
	return 0;
}

int check_group(struct binding *at, void *item)
{
	const struct group_config *g = item;

	check_word(at, &g->name);
	return 0;
}

int check_table(struct binding *at, void *item)
{
	const struct table_config *t = item;

	check_word(at, &t->name);
	return 0;
}

int check_field(struct binding *at, void *item)
{
	struct record_field *f = item;
	struct value_config *v = &f->value;
	bool text = v->decoders.count > 0;

	check_word(at, &v->name);
	f->column.name = v->name;
	f->column.place = v->place = f->place;
	v->type = METRIC_GAUGE;
	v->no_export = true;
	if (text && !v->size)
		binding_error(at, at->place, "missing key 'size': how many bytes the decoders get");
	if (!text && (v->size & (v->size - 1) || v->size > sizeof(uint64_t)))
		binding_error(at, binding_place(at, "size"),
			      "'size': expected 1, 2, 4 or 8, found %u", v->size);
	if (text && (f->column.unit != UNIT_NONE || f->column.multiplier != 0))
		binding_error(at, f->place, "a text has neither unit nor multiplier");
	if (!text && f->column.filter != FILTER_NONE)
		binding_error(at, f->place, "filters look at texts, and this is a number");
	if (!v->size)
		v->size = sizeof(uint64_t);
	return 0;
}

int check_records(struct binding *at, void *item)
{
	const struct records_config *r = item;

	check_word(at, &r->name);
	for (size_t i = 0; i < r->fields.count; i++) {
		const struct text *name = &r->fields.items[i].value.name;

		for (size_t k = 0; name->text && k < i; k++) {
			const char *other = r->fields.items[k].value.name.text;

			if (other && STREQ(other, name->text))
				binding_error(at, name->place,
					      "there is another field '%s' before it",
					      shown(name->text).text);
		}
	}
	return 0;
}

static void check_unknown_column(const struct binding *at, const struct metric_config *m,
				 const struct text *name)
{
	enum { MOST = 64 };
	const char *names[MOST], *nearest;
	size_t n = 0;

	for (size_t i = 0; i < metric_count_labels(m) && n < MOST; i++)
		names[n++] = m->labels.items[i].name.text;
	for (size_t i = 0; i < m->values.count && n < MOST; i++)
		names[n++] = m->values.items[i].name.text;
	nearest = suggest_nearest(name->text, names, n);
	binding_error(at, name->place, "'%s' is neither a label nor a value of map '%s'%s%s%s",
		      shown(name->text).text, m->name.text ? shown(m->name.text).text : "",
		      nearest ? ", did you mean '" : "", nearest ? shown(nearest).text : "",
		      nearest ? "'?" : "");
}

static void check_text_column(const struct binding *at, const struct column_config *c)
{
	if (c->unit != UNIT_NONE || c->multiplier != 0 || c->merge != MERGE_SUM)
		binding_error(at, c->place,
			      "'%s' is a text: 'unit', 'multiplier' and 'merge' are for numbers",
			      shown(c->name.text).text);
}

static void check_number_column(const struct binding *at, const struct metric_config *m,
				const struct column_config *c)
{
	if (c->filter != FILTER_NONE)
		binding_error(at, c->place, "'%s' is a number, and filters look at texts",
			      shown(c->name.text).text);
	if (column_is_histogram(m, c) && (c->multiplier != 0 || c->merge != MERGE_SUM))
		binding_error(
			at, c->place,
			"'%s' is a histogram: its buckets say the unit, and they are added up",
			shown(c->name.text).text);
}

static void check_columns_unique(const struct binding *at, const struct table_config *t)
{
	for (size_t i = 0; i < t->columns.count; i++) {
		const struct column_config *c = &t->columns.items[i];

		if (c->name.text && table_find_column(t, c->name.text) != c)
			binding_error(at, c->name.place, "there is another column '%s' before it",
				      shown(c->name.text).text);
	}
}

static void check_columns(const struct binding *at, const struct table_config *t,
			  const struct metric_config *m)
{
	bool number = false;

	check_columns_unique(at, t);
	for (size_t i = 0; i < t->columns.count; i++) {
		const struct column_config *c = &t->columns.items[i];
		const struct text *source = column_source(c);
		const struct value_config *v;
		size_t label;

		if (!c->name.text)
			continue;
		if (!metric_find_label(m, source->text, &label) &&
		    !metric_find_value(m, source->text, &v))
			check_unknown_column(at, m, source);
		else if (column_is_text(m, c))
			check_text_column(at, c);
		else
			check_number_column(at, m, c);
		number |= !column_is_text(m, c);
	}
	if (!number)
		binding_error(at, t->place, "a table needs a column that is a number");
}

/* @name must be a column, of texts or of numbers. */
static void check_named_column(const struct binding *at, const struct table_config *t,
			       const struct metric_config *m, const struct text *name, bool text)
{
	const struct column_config *c = name->text ? table_find_column(t, name->text) : NULL;

	if (!name->text)
		return;
	if (!c)
		binding_error(at, name->place, "this table has no column '%s'",
			      shown(name->text).text);
	else if (column_is_text(m, c) != text)
		binding_error(at, name->place, "column '%s' is a %s", shown(name->text).text,
			      text ? "number, and groups are made by texts"
				   : "text, and sorted is by numbers");
}

static void check_one_table(const struct binding *at, const struct config *c,
			    const struct table_config *t)
{
	const struct metric_config *m = t->map.text ? config_find_map(c, t->map.text) : NULL;

	check_when(at, c, &t->when);
	if (!m) {
		if (t->map.text)
			binding_error(at, t->map.place, "there is no '%s' under `metrics:`",
				      shown(t->map.text).text);
		return;
	}
	check_columns(at, t, m);
	check_named_column(at, t, m, &t->sort, false);
	for (size_t i = 0; i < t->groups.count; i++) {
		const struct text_list *columns = &t->groups.items[i].columns;

		for (size_t k = 0; k < columns->count; k++)
			check_named_column(at, t, m, &columns->items[k], true);
	}
}

static bool is_shown(const struct config *c, const struct metric_config *m)
{
	for (size_t i = 0; i < c->tables.count; i++) {
		const struct text *map = &c->tables.items[i].map;

		if (map->text && config_find_map(c, map->text) == m)
			return true;
	}
	return false;
}

static void check_use(const struct binding *at, const struct config *c)
{
	for (size_t i = 0; i < c->metrics.count; i++) {
		const struct metric_config *m = &c->metrics.items[i];

		if (m->no_export && m->name.text && !is_shown(c, m))
			binding_error(
				at, m->place,
				"'%s' is neither exported nor shown in a table: it has no use",
				shown(m->name.text).text);
	}
}

/* Tables first, then records: both are commands. */
static const struct text *name_at(const struct config *c, size_t index)
{
	return index < c->tables.count ? &c->tables.items[index].name
				       : &c->records.items[index - c->tables.count].name;
}

static void check_names_unique(const struct binding *at, const struct config *c)
{
	for (size_t i = 1; i < c->tables.count + c->records.count; i++) {
		const struct text *name = name_at(c, i);

		for (size_t k = 0; name->text && k < i; k++) {
			const struct text *other = name_at(c, k);

			if (other->text && STREQ(other->text, name->text))
				binding_error(at, name->place,
					      "table '%s' is already defined in line %u",
					      shown(name->text).text, other->place.line);
		}
	}
}

void check_tables(const struct binding *at, const struct config *c)
{
	for (size_t i = 0; i < c->tables.count; i++)
		check_one_table(at, c, &c->tables.items[i]);
	for (size_t i = 0; i < c->records.count; i++) {
		const struct records_config *r = &c->records.items[i];

		check_when(at, c, &r->when);
		for (size_t k = 0; k < r->fields.count; k++)
			check_when_or_pipeline(at, c, &r->fields.items[k].value.when);
	}
	check_names_unique(at, c);
	check_use(at, c);
}
