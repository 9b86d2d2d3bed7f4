// SPDX-License-Identifier: MIT
/* What is asked of a config once it is read, or of as much of it as was right. */
#include "config/config.h"

const struct metric_config *config_find_map(const struct config *c, const char *name)
{
	const struct metric_config *alias = NULL;

	for (size_t i = 0; i < c->metrics.count; i++) {
		const struct metric_config *m = &c->metrics.items[i];

		if (!m->name.text || !STREQ(m->name.text, name))
			continue;
		if (!m->alias.text)
			return m;
		alias = m;
	}
	return alias;
}

bool metric_find_value(const struct metric_config *m, const char *name,
		       const struct value_config **ret)
{
	*ret = NULL;
	for (size_t i = 0; i < m->values.count; i++) {
		if (m->values.items[i].name.text && STREQ(m->values.items[i].name.text, name)) {
			*ret = &m->values.items[i];
			return true;
		}
	}
	return m->values.count == 0 && STREQ(m->name.text, name);
}

const struct option_config *config_find_option(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->options.count; i++) {
		const struct text *option = &c->options.items[i].name;

		if (option->text && STREQ(option->text, name))
			return &c->options.items[i];
	}
	return NULL;
}

size_t metric_count_labels(const struct metric_config *m)
{
	bool has_bucket = m->type == METRIC_HISTOGRAM && m->values.count == 0;

	return m->labels.count - (has_bucket && m->labels.count > 0);
}

bool metric_find_label(const struct metric_config *m, const char *name, size_t *ret)
{
	for (size_t i = 0; i < metric_count_labels(m); i++) {
		const struct text *label = &m->labels.items[i].name;

		if (label->text && STREQ(label->text, name)) {
			*ret = i;
			return true;
		}
	}
	return false;
}

const struct text *column_source(const struct column_config *column)
{
	return column->from.text ? &column->from : &column->name;
}

bool column_is_text(const struct metric_config *m, const struct column_config *column)
{
	const struct value_config *v = NULL;
	const char *source = column_source(column)->text;
	size_t label;

	if (!source || metric_find_label(m, source, &label))
		return true;
	return metric_find_value(m, source, &v) && v && v->decoders.count;
}

bool column_is_histogram(const struct metric_config *m, const struct column_config *column)
{
	const struct value_config *v = NULL;

	return !column_is_text(m, column) &&
	       metric_find_value(m, column_source(column)->text, &v) &&
	       (v ? v->type : m->type) == METRIC_HISTOGRAM;
}

const struct column_config *table_find_column(const struct table_config *t, const char *name)
{
	for (size_t i = 0; i < t->columns.count; i++) {
		const struct text *column = &t->columns.items[i].name;

		if (column->text && STREQ(column->text, name))
			return &t->columns.items[i];
	}
	return NULL;
}
