// SPDX-License-Identifier: MIT
#include "engine/difference.h"

#include <errno.h>
#include <string.h>

#include "engine/agent.h"
#include "engine/part.h"

/* Whom it is for, beside what is compared. */
struct comparison {
	difference_fn add;
	void *ctx;
	const char *module;
};

static void add(const struct comparison *c, const char *what, const char *declared,
		const char *running)
{
	c->add(c->ctx, &(struct difference){c->module, what, declared, running});
}

/* What a part says leaves out whose it is. */
static void add_of_part(void *ctx, const struct difference *d)
{
	add(ctx, d->what, d->declared, d->running);
}

/* ---- options ---- */

static bool are_equal(const struct strv *a, const struct strv *b)
{
	for (size_t i = 0; a->count == b->count && i < a->count; i++) {
		if (!STREQ(a->items[i], b->items[i]))
			return false;
	}
	return a->count == b->count;
}

static void add_values(struct buf *to, const struct strv *values)
{
	for (size_t i = 0; i < values->count; i++)
		buf_printf(to, "%s%s", i ? ", " : "", values->items[i]);
}

/* Gives back whether any option differs. */
static bool compare_options(const struct comparison *c, const struct module *declared,
			    const struct module *running)
{
	bool any = false;

	for (size_t i = 0; i < declared->config->options.count; i++) {
		const char *name = declared->config->options.items[i].name.text;
		_cleanup_buf_ struct buf what = {0}, is = {0}, was = {0};
		const struct strv *before = config_find_option(running->config, name)
						    ? module_option(running, name)
						    : NULL;

		if (before && are_equal(&declared->values[i], before))
			continue;
		any = true;
		buf_printf(&what, "option %s", name);
		add_values(&is, &declared->values[i]);
		if (before)
			add_values(&was, before);
		add(c, buf_str(&what), buf_str(&is), before ? buf_str(&was) : NULL);
	}
	return any;
}

/* ---- modules ---- */

static const struct module *find_module(const struct plan *p, const char *name)
{
	for (size_t i = 0; p && i < p->n_modules; i++) {
		if (STREQ(p->modules[i].config->name, name))
			return &p->modules[i];
	}
	return NULL;
}

static const struct unit *find_unit(const struct agent *a, const char *name)
{
	for (size_t i = 0; i < a->n_units; i++) {
		if (STREQ(a->units[i]->plan->name, name))
			return a->units[i];
	}
	return NULL;
}

static const struct plan *find_plan(const struct plans *plans, const char *name)
{
	for (size_t i = 0; i < plans->count; i++) {
		if (STREQ(plans->items[i]->name, name))
			return plans->items[i];
	}
	return NULL;
}

/* Gives back whether anything differs. */
static bool compare_module(struct comparison c, const struct module *declared,
			   const struct unit *running)
{
	const struct module *m;

	c.module = declared->config->name;
	m = running ? find_module(running->plan, c.module) : NULL;
	if (!m) {
		add(&c, "module", "on", NULL);
		return true;
	}
	part_diff(running, declared, add_of_part, &c);
	return compare_options(&c, declared, m);
}

/* What is neither a module nor an option: the config itself, its object, the aliases. */
static void compare_rest(struct comparison c, const struct plan *declared,
			 const struct plan *running)
{
	if (memcmp(declared->fingerprint, running->fingerprint, sizeof(declared->fingerprint)) == 0)
		return;
	c.module = declared->name;
	add(&c, "config or object", "changed", "as it was");
}

static void compare_plan(const struct comparison *c, const struct plan *declared,
			 const struct unit *running)
{
	bool any = false;

	for (size_t i = 0; i < declared->n_modules; i++)
		any |= compare_module(*c, &declared->modules[i], running);
	if (!any && running)
		compare_rest(*c, declared, running->plan);
}

/* Modules of @running that are not declared any more. */
static void compare_gone(struct comparison c, const struct unit *running,
			 const struct plan *declared)
{
	for (size_t i = 0; i < running->plan->n_modules; i++) {
		c.module = running->plan->modules[i].config->name;
		if (!find_module(declared, c.module))
			add(&c, "module", NULL, "on");
	}
}

int agent_diff(struct agent *a, difference_fn fn, void *ctx, struct error *e)
{
	const struct comparison c = {.add = fn, .ctx = ctx};
	struct plans plans = {0};
	int err = plans_build(&a->options.plan, &plans, e);

	if (err)
		return err;
	if (plans.report.errors) {
		err = error_set_usage(e, "%s", buf_str(&plans.report.text));
		plans_free(&plans);
		return err;
	}
	for (size_t i = 0; i < plans.count; i++)
		compare_plan(&c, plans.items[i], find_unit(a, plans.items[i]->name));
	for (size_t i = 0; i < a->n_units; i++)
		compare_gone(c, a->units[i], find_plan(&plans, a->units[i]->plan->name));
	plans_free(&plans);
	return 0;
}
