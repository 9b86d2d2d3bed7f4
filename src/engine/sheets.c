// SPDX-License-Identifier: MIT
#include "engine/sheets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "engine/builtin.h"
#include "engine/part.h"
#include "engine/placement.h"
#include "engine/slices.h"
#include "kernel/ring.h"

static bool option_is_on(const void *ctx, const char *name)
{
	return module_option_is_on(ctx, name);
}

/* ---- making ---- */

static int build_sheet(struct unit *u, const struct module *m, const struct table_config *t,
		       struct report *report)
{
	const struct config *c = m->config;
	const struct metric_config *metric = config_find_map(c, t->map.text);
	struct unit_sheet *to = &u->sheets[u->n_sheets];
	const struct label_switch labels = {option_is_on, m};
	struct map_info map;
	struct feed *feed;
	int err;

	if (object_find_map(u->object, metric->name.text, &map))
		return unit_report_missing_map(u->object, c, &metric->name, report);
	feed = events_feed(u->events, &map);
	err = sheet_new(t, metric, &c->source, &map, feed, &u->env->decode, &labels, report,
			&to->sheet);
	if (err)
		return err;
	to->module = m;
	u->n_sheets++;
	return 0;
}

static bool is_on(const struct module *m, const struct table_config *t)
{
	return !t->when.text || module_option_is_on(m, t->when.text);
}

int sheets_build(struct unit *u, struct report *report)
{
	size_t n = 0;
	int err = 0;

	for (size_t i = 0; i < u->plan->n_modules; i++)
		n += u->plan->modules[i].config->tables.count;
	u->sheets = calloc(MAX(n, (size_t)1), sizeof(*u->sheets));
	if (!u->sheets)
		return -ENOMEM;
	for (size_t i = 0; i < u->plan->n_modules; i++) {
		const struct module *m = &u->plan->modules[i];

		for (size_t k = 0; k < m->config->tables.count; k++) {
			const struct table_config *t = &m->config->tables.items[k];
			int failed = is_on(m, t) ? build_sheet(u, m, t, report) : 0;

			if (failed)
				err = failed;
		}
	}
	return err;
}

void sheets_free(struct unit *u)
{
	for (size_t i = 0; i < u->n_sheets; i++)
		sheet_free(u->sheets[i].sheet);
	free(TAKE_PTR(u->sheets));
	u->n_sheets = 0;
}

int sheets_check(const struct config *c, const struct object *o, struct report *report)
{
	static const struct decode_env nothing;
	static const struct label_switch all;
	int err = 0;

	for (size_t i = 0; i < c->tables.count; i++) {
		const struct table_config *t = &c->tables.items[i];
		const struct metric_config *metric = config_find_map(c, t->map.text);
		struct sheet *sheet;
		struct map_info map;

		/* Of a map that is not there, and of what is wrong with events, is said where the
		 * metric is. */
		if (object_find_map(o, metric->name.text, &map) || ring_is(&map))
			continue;
		if (sheet_new(t, metric, &c->source, &map, NULL, &nothing, &all, report, &sheet))
			err = -EINVAL;
		else
			sheet_free(sheet);
	}
	return err;
}

/* ---- finding ---- */

struct found {
	struct unit *unit;
	const struct module *module;
	struct sheet *sheet;
};

static const struct module *find_module(struct agent *a, const char *name, struct unit **ret_unit)
{
	for (size_t i = 0; i < a->n_units; i++) {
		struct unit *u = a->units[i];

		for (size_t k = 0; k < u->plan->n_modules; k++) {
			*ret_unit = u;
			if (STREQ(u->plan->modules[k].config->name, name))
				return &u->plan->modules[k];
		}
	}
	return NULL;
}

static int report_no_module(const struct agent *a, const char *name, struct error *e)
{
	for (size_t i = 0; i < a->n_broken; i++) {
		if (STREQ(a->broken[i].name, name))
			return error_set_lacks(e, -ENODEV, "module '%s' does not run: %s", name,
					       a->broken[i].error.text);
	}
	if (builtin_find(name))
		return error_set(e, -ENODEV,
				 "module '%s' is not on: the daemon was started without it; name "
				 "it in --module, or say `enabled: true` in the daemon file",
				 name);
	return error_set_usage(e,
			       "the daemon runs no module or config '%s'; what it runs: wiregauge "
			       "status",
			       name);
}

static int report_no_table(const struct module *m, const char *name, struct error *e)
{
	const struct config *c = m->config;
	_cleanup_buf_ struct buf names = {0};

	for (size_t i = 0; i < c->tables.count; i++) {
		const struct table_config *t = &c->tables.items[i];

		if (STREQ(t->name.text, name))
			return error_set(e, -ENOENT,
					 "this table is off; on with: wiregauge run --option "
					 "%s.%s=true",
					 c->name, t->when.text);
		buf_printf(&names, "%s%s", names.len ? ", " : "", t->name.text);
	}
	return error_set_usage(e, "'%s' has no table '%s'; it has: %s", c->name, name,
			       names.len ? buf_str(&names) : "none");
}

/* The main table is the one of the module's name, else the first. */
static const char *main_table(const struct config *c)
{
	for (size_t i = 0; i < c->tables.count; i++) {
		if (STREQ(c->tables.items[i].name.text, c->name))
			return c->name;
	}
	return c->tables.count ? c->tables.items[0].name.text : c->name;
}

static int find_sheet(struct agent *a, const char *module, const char *table, struct found *ret,
		      struct error *e)
{
	ret->module = find_module(a, module, &ret->unit);
	if (!ret->module)
		return report_no_module(a, module, e);
	if (!table)
		table = main_table(ret->module->config);
	for (size_t i = 0; i < ret->unit->n_sheets; i++) {
		const struct unit_sheet *s = &ret->unit->sheets[i];

		ret->sheet = s->sheet;
		if (s->module == ret->module && STREQ(sheet_config(s->sheet)->name.text, table))
			return 0;
	}
	return report_no_table(ret->module, table, e);
}

/* ---- asking ---- */

/* Parts and iterators fill maps when metrics are asked for; so they do for a table. */
static void fill_maps(struct agent *a, struct unit *u)
{
	pthread_mutex_lock(&a->scrape_lock);
	parts_fill(u);
	placements_run(u);
	pthread_mutex_unlock(&a->scrape_lock);
}

int sheets_answer(struct agent *a, const char *module, const char *table,
		  const struct sheet_question *q, struct buf *out, struct error *e)
{
	struct found found = {0};
	int err;

	pthread_mutex_lock(&a->sheets_lock);
	err = find_sheet(a, module, table, &found, e);
	if (!err) {
		if (q->session)
			slices_hold(found.unit, module);
		fill_maps(a, found.unit);
		err = sheet_answer(found.sheet, q, out, e);
	}
	pthread_mutex_unlock(&a->sheets_lock);
	return err;
}

void sheets_expire(struct agent *a)
{
	/* Who asks now does it as well. */
	if (pthread_mutex_trylock(&a->sheets_lock))
		return;
	for (size_t i = 0; i < a->n_units; i++) {
		for (size_t k = 0; k < a->units[i]->n_sheets; k++)
			sheet_expire(a->units[i]->sheets[k].sheet);
	}
	pthread_mutex_unlock(&a->sheets_lock);
}
