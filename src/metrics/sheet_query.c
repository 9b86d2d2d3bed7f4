// SPDX-License-Identifier: MIT
/* What is asked of a table: columns and groups by their names, filters by what they look at. */
#include <errno.h>
#include <fnmatch.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/network.h"
#include "base/strv.h"
#include "base/suggest.h"
#include "metrics/sheet_state.h"

/* ---- names ---- */

static bool find_column(const struct sheet *s, const char *name, size_t *ret)
{
	for (size_t i = 0; i < s->n_columns; i++) {
		if (STREQ(s->columns[i].config->name.text, name)) {
			*ret = i;
			return true;
		}
	}
	return false;
}

/* The names that are meant by some option. */
struct names {
	const char *items[2 * SHEET_COLUMNS_MAX];
	size_t count;
};

static void add_name(struct names *to, const char *name)
{
	for (size_t i = 0; i < to->count; i++) {
		if (STREQ(to->items[i], name))
			return;
	}
	if (to->count < ARRAY_SIZE(to->items))
		to->items[to->count++] = name;
}

static void add_groups(const struct sheet *s, struct names *to)
{
	for (size_t i = 0; i < s->config->groups.count; i++)
		add_name(to, s->config->groups.items[i].name.text);
}

/* Of the columns that are texts, or numbers. */
static void add_columns(const struct sheet *s, bool text, struct names *to)
{
	for (size_t i = 0; i < s->n_columns; i++) {
		if ((s->columns[i].kind == SHEET_TEXT) == text)
			add_name(to, s->columns[i].config->name.text);
	}
}

/* "this table has no column 'byte', did you mean 'bytes'?; it has: …" */
static int unknown_name(const char *what, const char *name, const struct names *known,
			struct error *e)
{
	const char *nearest = suggest_nearest(name, known->items, known->count);
	_cleanup_buf_ struct buf list = {0};

	for (size_t i = 0; i < known->count; i++)
		buf_printf(&list, "%s%s", i ? ", " : "", known->items[i]);
	return error_set_usage(e, "this table has no %s '%s'%s%s%s; it has: %s", what, name,
			       nearest ? ", did you mean '" : "", nearest ? nearest : "",
			       nearest ? "'?" : "", buf_str(&list));
}

static int unknown_group(const struct sheet *s, const char *name, struct error *e)
{
	struct names known = {0};

	add_groups(s, &known);
	add_columns(s, true, &known);
	return unknown_name("group or column", name, &known, e);
}

static int unknown_column(const struct sheet *s, const char *what, const char *name, bool text,
			  struct error *e)
{
	struct names known = {0};

	add_columns(s, text, &known);
	return unknown_name(what, name, &known, e);
}

/* ---- by ---- */

static const struct group_config *find_group(const struct sheet *s, const char *name)
{
	const struct table_config *t = s->config;

	if (!name)
		return t->groups.count ? &t->groups.items[0] : NULL;
	for (size_t i = 0; i < t->groups.count; i++) {
		if (STREQ(t->groups.items[i].name.text, name))
			return &t->groups.items[i];
	}
	return NULL;
}

/* A label that is switched off says nothing. */
static bool is_off(const struct sheet *s, const struct sheet_column *c)
{
	return c->kind == SHEET_TEXT && !c->in_value && s->layout.labels[c->label].off;
}

/* What was asked for by its name, and is off, is said rather than left out. */
static int report_off(const struct sheet *s, const struct sheet_column *c, struct error *e)
{
	const char *option = s->layout.labels[c->label].decoder.config->when.text;

	if (strchr(option, '.'))
		return error_set(e, -ENOENT,
				 "nothing is counted by '%s' while the option '%s' is as by "
				 "default; another with: wiregauge run --option %s=…",
				 c->config->name.text, option, option);
	return error_set(e, -ENOENT,
			 "nothing is counted by '%s' while the module's option '%s' is off; on "
			 "with: wiregauge run --option MODULE.%s=true",
			 c->config->name.text, option, option);
}

static int choose_by_name(const struct sheet *s, const char *name, struct sheet_query *q,
			  struct error *e)
{
	size_t column;

	if (!find_column(s, name, &column) || s->columns[column].kind != SHEET_TEXT)
		return unknown_group(s, name, e);
	if (is_off(s, &s->columns[column]))
		return report_off(s, &s->columns[column], e);
	q->by[column] = true;
	return 0;
}

static int choose_by_names(const struct sheet *s, const char *names, struct sheet_query *q,
			   struct error *e)
{
	_cleanup_strv_ struct strv list = {0};
	int err = strv_add_split(&list, names, ',') ? error_set(e, -ENOMEM, "no memory") : 0;

	for (size_t i = 0; i < list.count && !err; i++)
		err = choose_by_name(s, list.items[i], q, e);
	return err;
}

/* The columns of @group that say something; @asked: the one that the group is called after must. */
static int choose_group(const struct sheet *s, const struct group_config *group, bool asked,
			struct sheet_query *q, struct error *e)
{
	for (size_t i = 0; i < group->columns.count; i++) {
		const char *name = group->columns.items[i].text;
		bool must = asked && STREQ(name, group->name.text);
		size_t column;
		int err;

		if (find_column(s, name, &column) && is_off(s, &s->columns[column]) && !must)
			continue;
		err = choose_by_name(s, name, q, e);
		if (err)
			return err;
	}
	return 0;
}

static int choose_by(const struct sheet *s, const struct sheet_question *ask, struct sheet_query *q,
		     struct error *e)
{
	const struct group_config *group = find_group(s, ask->by);

	q->by_name = group ? group->name.text : ask->by;
	if (!group && ask->by)
		return choose_by_names(s, ask->by, q, e);
	if (group)
		return choose_group(s, group, ask->by, q, e);
	for (size_t i = 0; i < s->n_columns; i++)
		q->by[i] = s->columns[i].kind == SHEET_TEXT && !is_off(s, &s->columns[i]);
	return 0;
}

/* ---- sort ---- */

static int choose_sort(const struct sheet *s, const char *name, struct sheet_query *q,
		       struct error *e)
{
	if (!name)
		name = s->config->sort.text;
	if (name && (!find_column(s, name, &q->sort) || s->columns[q->sort].kind == SHEET_TEXT))
		return unknown_column(s, "column of numbers", name, false, e);
	while (!name && q->sort < s->n_columns && s->columns[q->sort].kind == SHEET_TEXT)
		q->sort++;
	return 0;
}

static uint64_t count_of(const struct sheet_column *c, const uint64_t *numbers)
{
	uint64_t count = 0;

	for (uint32_t i = 0; numbers && i < c->buckets.count; i++)
		count += numbers[c->word + i];
	return count;
}

double sheet_sort_number(const struct sheet_column *c, const uint64_t *now, const uint64_t *before)
{
	uint64_t was = before ? before[c->word] : 0;

	if (c->kind == SHEET_HISTOGRAM)
		return (double)count_of(c, now) - (double)count_of(c, before);
	if (c->kind == SHEET_COUNTER && before && now[c->word] >= was)
		return (double)(now[c->word] - was);
	return (double)now[c->word];
}

/* ---- filters ---- */

static bool column_is_meant(const struct sheet_column *c, const struct sheet_filter *f)
{
	const char *name = f->column ? c->config->name.text : column_filter_name(c->config->filter);

	return c->kind == SHEET_TEXT && STREQ(name, f->name);
}

static bool address_fits(const char *value, const char *text)
{
	struct network wanted, found;

	return network_parse(value, &wanted) && network_parse(text, &found) &&
	       network_contains(&wanted, &found);
}

/* Decimal digits only: strtoul takes blanks and signs. */
static bool parse_port(const char *text, char **end, unsigned long *ret)
{
	if (*text < '0' || *text > '9')
		return false;
	*ret = strtoul(text, end, 10);
	return *ret <= UINT16_MAX;
}

/* "443", "8000-8100" */
static bool parse_ports(const char *value, unsigned long *low, unsigned long *high)
{
	char *end;

	if (!parse_port(value, &end, low))
		return false;
	*high = *low;
	if (*end == '-' && !parse_port(end + 1, &end, high))
		return false;
	return *end == '\0' && *low <= *high;
}

/* "https", "ms-wbt-server" (RFC 6335): some tables have names of ports. */
static bool is_service(const char *value)
{
	return strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
		       strlen(value) &&
	       !(value[0] >= '0' && value[0] <= '9') && value[0] && value[0] != '-';
}

static bool port_is_valid(const char *value)
{
	unsigned long low, high;

	return parse_ports(value, &low, &high) || is_service(value);
}

static bool port_fits(const char *value, const char *text)
{
	unsigned long low, high, number;
	char *end;

	if (STREQ(value, text))
		return true;
	return parse_ports(value, &low, &high) && parse_port(text, &end, &number) && *end == '\0' &&
	       number >= low && number <= high;
}

static bool address_is_valid(const char *value)
{
	struct network network;

	return network_parse(value, &network);
}

static bool glob_fits(const char *value, const char *text)
{
	return fnmatch(value, text, 0) == 0;
}

static bool any_is_valid(const char *value)
{
	return value != NULL;
}

/* The kernel keeps the first 15 characters (TASK_COMM_LEN of include/linux/sched.h). */
enum { PROCESS_MOST = 15 };

static bool process_fits(const char *value, const char *text)
{
	return glob_fits(value, text) ||
	       (strlen(text) == PROCESS_MOST && strncmp(value, text, PROCESS_MOST) == 0);
}

/* IFNAMSIZ of include/uapi/linux/if.h is one more. A longer one may have brackets: [a-z]. */
static bool interface_is_valid(const char *value)
{
	return *value && (strlen(value) < IFNAMSIZ || strpbrk(value, "*?["));
}

/* What a value must be for a filter, and when a text fits it. By enum column_filter. */
static const struct {
	bool (*fits)(const char *value, const char *text);
	bool (*is_valid)(const char *value);
	const char *takes;
} filter_kinds[] = {
	[FILTER_NONE] = {glob_fits, any_is_valid, "a text; * and ? stand for any"},
	[FILTER_ADDRESS] = {address_fits, address_is_valid, NETWORK_TAKES},
	[FILTER_PORT] = {port_fits, port_is_valid,
			 "a port up to 65535, or several such as 8000-8100"},
	[FILTER_PROCESS] = {process_fits, any_is_valid, "a name; * and ? stand for any"},
	[FILTER_INTERFACE] = {glob_fits, interface_is_valid,
			      "a name of at most 15 characters; * and ? stand for any"},
};

/* How @f looks at a column that is meant. */
static enum column_filter look_of(const struct sheet_column *c, const struct sheet_filter *f)
{
	return f->column ? FILTER_NONE : c->config->filter;
}

static bool text_fits(const struct sheet_column *c, const struct sheet_filter *f,
		      const struct sheet_text *t)
{
	char text[512];

	/* Longer ones are of no name that is looked for. */
	if (t->len >= sizeof(text))
		return false;
	memcpy(text, t->text, t->len);
	text[t->len] = '\0';
	return filter_kinds[look_of(c, f)].fits(f->value, text);
}

static bool is_alike(const struct sheet_filter *a, const struct sheet_filter *b)
{
	return a->column == b->column && STREQ(a->name, b->name);
}

static bool filter_fits(const struct sheet *s, const struct sheet_filter *f,
			const struct sheet_text *texts)
{
	for (size_t i = 0; i < s->n_columns; i++) {
		if (column_is_meant(&s->columns[i], f) && text_fits(&s->columns[i], f, &texts[i]))
			return true;
	}
	return false;
}

/* Of the filters with the name of @first, the first of them, one must fit. */
static bool any_fits(const struct sheet *s, const struct sheet_query *q, size_t first,
		     const struct sheet_text *texts)
{
	for (size_t i = first; i < q->n_filters; i++) {
		if (is_alike(&q->filters[i], &q->filters[first]) &&
		    filter_fits(s, &q->filters[i], texts))
			return true;
	}
	return false;
}

static bool is_first(const struct sheet_query *q, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (is_alike(&q->filters[i], &q->filters[index]))
			return false;
	}
	return true;
}

bool sheet_query_fits(const struct sheet *s, const struct sheet_query *q,
		      const struct sheet_text *texts)
{
	for (size_t i = 0; i < q->n_filters; i++) {
		if (is_first(q, i) && !any_fits(s, q, i, texts))
			return false;
	}
	return true;
}

static int check_filter(const struct sheet *s, const struct sheet_filter *f, struct sheet_query *q,
			struct error *e)
{
	bool found = false;

	for (size_t i = 0; i < s->n_columns; i++) {
		enum column_filter kind = look_of(&s->columns[i], f);

		if (!column_is_meant(&s->columns[i], f))
			continue;
		found = q->needed[i] = true;
		if (!filter_kinds[kind].is_valid(f->value))
			return error_set_usage(e, "'%s' takes %s, not '%s'", f->name,
					       filter_kinds[kind].takes, f->value);
	}
	if (!found && !f->column)
		return error_set_usage(
			e, "no column of this table is about '%s'; by a column: --where", f->name);
	return found ? 0 : unknown_column(s, "column of texts", f->name, true, e);
}

int sheet_query_build(const struct sheet *s, const struct sheet_question *q,
		      struct sheet_query *ret, struct error *e)
{
	int err;

	*ret = (struct sheet_query){.filters = q->filters, .n_filters = q->n_filters};
	ret->limit = q->limit ? MIN(q->limit, (uint32_t)SHEET_ROWS_MAX) : SHEET_ROWS_MAX;
	if ((err = choose_by(s, q, ret, e)) || (err = choose_sort(s, q->sort, ret, e)))
		return err;
	for (size_t i = 0; i < q->n_filters && !err; i++)
		err = check_filter(s, &q->filters[i], ret, e);
	for (size_t i = 0; i < s->n_columns; i++)
		ret->needed[i] |= ret->by[i];
	return err;
}

struct sheet_text sheet_row_text(const struct sheet_query *q, const struct view *v, uint32_t row,
				 size_t column)
{
	struct label_text rest = view_label_text(v, row);
	size_t at = 0;

	for (size_t i = 0;; i++) {
		uint32_t len;

		if (!q->by[i])
			continue;
		memcpy(&len, rest.text + at, sizeof(len));
		at += sizeof(len);
		if (i == column)
			return (struct sheet_text){rest.text + at, len};
		at += len;
	}
}
