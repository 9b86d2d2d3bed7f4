// SPDX-License-Identifier: MIT
/* What can be wrong with metrics each of which is right by itself: what one says is about another
 * of the same file, or about its options. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/language.h"

/* --- what has left a map ------------------------------------------------------------------- */

static bool has_text(const struct text_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].text && STREQ(list->items[i].text, name))
			return true;
	}
	return false;
}

static bool keeps_label(const struct value_config *v, const char *name)
{
	return v->labels.count == 0 || has_text(&v->labels, name);
}

/* Whether each label that value @a of @m keeps, but for those of @without, is one that value @b of
 * @other keeps. */
static bool labels_are_kept(const struct metric_config *m, const struct value_config *a,
			    const struct text_list *without, const struct metric_config *other,
			    const struct value_config *b)
{
	for (size_t i = 0; i < m->labels.count; i++) {
		const char *name = m->labels.items[i].name.text;
		size_t label;

		if (!name || !keeps_label(a, name) || has_text(without, name))
			continue;
		if (!metric_find_label(other, name, &label) || !keeps_label(b, name))
			return false;
	}
	return true;
}

/* What has left the map is known by the labels that are not in `others`, and by no more. */
static void check_rest(const struct binding *at, const struct config *c,
		       const struct metric_config *m, const struct value_config *v)
{
	static const struct text_list none;
	const struct value_config *found = NULL;
	const struct metric_config *rest = NULL;

	for (size_t i = 0; i < c->metrics.count && !found; i++) {
		rest = &c->metrics.items[i];
		if (rest != m)
			metric_find_value(rest, v->rest.text, &found);
	}
	if (!found)
		binding_error(at, v->rest.place, "no other metric here has a value '%s'",
			      shown(v->rest.text).text);
	else if (!labels_are_kept(m, v, &v->others, rest, found) ||
		 !labels_are_kept(rest, found, &none, m, v))
		binding_error(at, v->rest.place,
			      "'%s' must have just the labels of '%s' that are not in 'others'",
			      shown(v->rest.text).text, shown(v->name.text).text);
}

/* What can only be known of a value with `top` when the whole file is. */
static void check_top_value(const struct binding *at, const struct config *c,
			    const struct metric_config *m, const struct value_config *v)
{
	size_t label;

	if (!v->top.text)
		return;
	check_is_option(at, c, &v->top, v->top.text, OPTION_UINT, "uint");
	for (size_t i = 0; i < v->others.count; i++) {
		const struct text *name = &v->others.items[i];

		if (name->text && !metric_find_label(m, name->text, &label))
			binding_error(at, name->place, "'%s' has no label '%s'",
				      m->name.text ? shown(m->name.text).text : "the metric",
				      shown(name->text).text);
	}
	if (v->rest.text && v->name.text)
		check_rest(at, c, m, v);
}

/* A map is added up by what entries grew, or by what they are. */
void check_tops(const struct binding *at, const struct config *c, const struct metric_config *m)
{
	const struct value_config *plain = NULL, *top = NULL;

	for (size_t i = 0; i < m->values.count; i++) {
		const struct value_config *v = &m->values.items[i];

		check_top_value(at, c, m, v);
		if (v->top.text && !top)
			top = v;
		if (!v->top.text && !v->no_export)
			plain = v;
	}
	if (top && (m->max_series || m->ttl_ns))
		binding_error(at, top->top.place, "'top' goes with neither max_series nor ttl");
	if (top && plain)
		binding_error(at, plain->place,
			      "beside a value with 'top' all others of the map need 'top' or "
			      "'export: false'");
}

/* --- names of metrics, and their maps ------------------------------------------------------ */

/* What one metric is exported as. */
struct exported {
	struct named_place name;
	enum metric_type type;
};

static size_t list_exported(const struct config *c, struct exported *to)
{
	size_t n = 0;

	for (size_t i = 0; i < c->metrics.count; i++) {
		const struct metric_config *m = &c->metrics.items[i];

		/* An alias is a whole name, without prefix: it is held against all others when it
		 * is exported. */
		if (m->no_export)
			continue;
		/* A map with `values` is no metric itself. */
		if (m->values.count == 0 && !m->alias.text)
			to[n++] = (struct exported){{m->name.text, m->name.place}, m->type};
		for (size_t j = 0; j < m->values.count; j++) {
			const struct value_config *v = &m->values.items[j];

			if (!v->no_export && !v->alias.text)
				to[n++] = (struct exported){{v->name.text, v->name.place}, v->type};
		}
	}
	return n;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct named_place *)a)->name, ((const struct named_place *)b)->name);
}

/* A histogram h is written as h_bucket, h_sum and h_count: no other metric can have these names. */
static int check_histogram_parts(const struct binding *at, const struct named_place *histogram,
				 const struct named_place *names, size_t count)
{
	static const char *const parts[] = {"_bucket", "_sum", "_count"};
	_cleanup_buf_ struct buf part = {0};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const struct named_place *other;
		struct named_place wanted = {0};

		buf_reset(&part);
		buf_printf(&part, "%s%s", histogram->name, parts[i]);
		wanted.name = buf_str(&part);
		if (!buf_ok(&part))
			return -ENOMEM;
		other = bsearch(&wanted, names, count, sizeof(*names), compare_names);
		if (other)
			binding_error(at, other->place,
				      "metric '%s' is also a part of the histogram '%s' in line %u",
				      shown(other->name).text, shown(histogram->name).text,
				      histogram->place.line);
	}
	return 0;
}

int check_metrics_unique(const struct binding *at, const struct config *c)
{
	_cleanup_free_ struct named_place *names = NULL;
	_cleanup_free_ struct exported *exported = NULL;
	size_t most = c->metrics.count + 1, n, n_names;
	int err = 0;

	for (size_t i = 0; i < c->metrics.count; i++)
		most += c->metrics.items[i].values.count;
	names = calloc(most, sizeof(*names));
	exported = calloc(most, sizeof(*exported));
	if (!names || !exported)
		return -ENOMEM;
	n = list_exported(c, exported);
	for (size_t i = 0; i < n; i++)
		names[i] = exported[i].name;
	n_names = binding_check_unique(at, "metric", names, n);
	for (size_t i = 0; i < n && !err; i++) {
		if (exported[i].type == METRIC_HISTOGRAM && exported[i].name.name)
			err = check_histogram_parts(at, &exported[i].name, names, n_names);
	}
	return err;
}

/* What one metric deletes from its map, another one of the same map would lose. */
static void check_ttl_alone(const struct binding *at, const struct config *c,
			    const struct metric_config *m)
{
	for (size_t i = 0; i < c->metrics.count; i++) {
		const struct metric_config *other = &c->metrics.items[i];

		if (other == m || !other->name.text || !STREQ(other->name.text, m->name.text))
			continue;
		binding_error(at, m->ttl_place,
			      "'ttl' deletes entries of map '%s', of which line %u makes metrics "
			      "too; put all of them under one `values`",
			      shown(m->name.text).text, other->place.line);
		return;
	}
}

void check_ttls(const struct binding *at, const struct config *c)
{
	for (size_t i = 0; i < c->metrics.count; i++) {
		const struct metric_config *m = &c->metrics.items[i];

		if (m->ttl_ns && m->name.text)
			check_ttl_alone(at, c, m);
	}
}
