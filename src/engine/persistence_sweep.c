// SPDX-License-Identifier: MIT
/* What is pinned for all units: who has it, and what of it nobody wants any more. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/agent.h"
#include "engine/persistence.h"
#include "engine/placement.h"
#include "engine/probe.h"
#include "kernel/pins.h"
#include "kernel/xdp_dispatcher.h"

void persistence_remove(struct pins *pins, const char *name, const char *why)
{
	struct pins_removed removed = {0};
	struct error error;
	unsigned swept = 0;

	if (pins_remove(pins, name, &removed, &error))
		log_warn("%s", error.text);
	if (removed.links || removed.maps)
		log_info("%s/%s: %s: removed %u pinned links and %u maps", pins_path(pins), name,
			 why, removed.links, removed.maps);
	if (removed.dispatched && xdp_dispatcher_sweep(&swept, &error))
		log_warn("%s", error.text);
}

static bool any_is_persistent(const struct plans *plans)
{
	for (size_t i = 0; i < plans->count; i++) {
		if (plan_is_persistent(plans->items[i]))
			return true;
	}
	return false;
}

void persistence_open(struct agent *a, const struct plans *plans)
{
	bool needed = any_is_persistent(plans);
	struct error error;
	int err = a->env.pins ? 0 : pins_open(needed, &a->env.pins, &error);

	free(TAKE_PTR(a->env.pins_error));
	if (!err)
		return;
	if (needed) {
		log_warn("what is persistent runs, but ends with the daemon: %s", error.text);
		a->env.pins_error = strdup(error.text);
	} else if (err != -ENOENT) {
		log_debug("what may be pinned is left alone: %s", error.text);
	}
}

static bool any_unit_is_persistent(const struct agent *a)
{
	for (size_t i = 0; i < a->n_units; i++) {
		if (plan_is_persistent(a->units[i]->plan))
			return true;
	}
	return false;
}

static const struct unit *find_unit(const struct agent *a, const char *part)
{
	for (size_t i = 0; i < a->n_units; i++) {
		_cleanup_buf_ struct buf name = {0};

		pins_add_part(&name, a->units[i]->plan->name);
		if (plan_is_persistent(a->units[i]->plan) && STREQ(buf_str(&name), part))
			return a->units[i];
	}
	return NULL;
}

/* The names of all that @u has pinned, and of what it has left as it was. */
static int list_wanted(const struct unit *u, struct strv *ret)
{
	struct map_info map;
	int err = strv_add_all(ret, &u->persistence.held);

	for (size_t i = 0; !err && object_map(u->object, i, &map); i++) {
		_cleanup_buf_ struct buf name = {0};

		if (persistence_add_map_name(u->plan, &map, &name))
			err = strv_add(ret, buf_str(&name), name.len);
	}
	for (size_t i = 0; i < u->n_placements; i++) {
		struct placement *p = &u->placements[i];
		const struct hook_request r = {.unit = (struct unit *)u, .placement = p};

		for (size_t k = 0; !err && k < p->n_attachments; k++) {
			_cleanup_buf_ struct buf name = {0};

			persistence_add_link_name(&r, &p->attachments[k], &name);
			err = strv_add(ret, buf_str(&name), name.len);
		}
	}
	return err;
}

static int add_names(const struct pins *pins, const char *directory, struct strv *ret)
{
	_cleanup_strv_ struct strv names = {0};
	int err = pins_list(pins, directory, &names);

	for (size_t i = 0; !err && i < names.count; i++) {
		_cleanup_buf_ struct buf name = {0};

		buf_printf(&name, "%s/%s", directory, names.items[i]);
		err = strv_add(ret, buf_str(&name), name.len);
	}
	return err;
}

/* The names of all that is pinned for the plan @part. */
static int list_present(const struct pins *pins, const char *part, struct strv *ret)
{
	_cleanup_strv_ struct strv layouts = {0};
	int err = pins_list(pins, part, &layouts);

	for (size_t i = 0; !err && i < layouts.count; i++) {
		_cleanup_buf_ struct buf directory = {0};
		bool links = STREQ(layouts.items[i], "links");

		buf_printf(&directory, "%s/%s%s", part, layouts.items[i], links ? "" : "/maps");
		err = add_names(pins, buf_str(&directory), ret);
	}
	return err;
}

/* Whether @p should have a program, and has none that the kernel takes. */
static bool lacks_program(const struct unit *u, const struct placement *p)
{
	const struct unit_program *program = &u->programs[p->program];

	if (program->info.loaded || program->deferred || !hook_get(p->row.hook)->adopt)
		return false;
	return !program->probe || program->probe->state == PROBE_ABSENT;
}

/* Where there is no program for it, the one from before goes on. */
static bool has_programs(const struct unit *u)
{
	for (size_t i = 0; i < u->n_placements; i++) {
		if (lacks_program(u, &u->placements[i]))
			return false;
	}
	return true;
}

/* Of a map of maps that is wanted, so is what is in it: who puts it there says when it is not. */
static bool is_wanted(const struct strv *wanted, const char *name)
{
	const char *end = strrchr(name, PERSISTENCE_INNER);
	_cleanup_free_ char *outer = end ? strndup(name, (size_t)(end - name)) : NULL;

	return strv_has(wanted, name) || (outer && strv_has(wanted, outer));
}

static void sweep_unit(const struct unit *u, const char *part)
{
	_cleanup_strv_ struct strv wanted = {0}, present = {0};

	if (!u->persistence.pinned || !has_programs(u))
		return;
	if (list_wanted(u, &wanted) || list_present(u->env->pins, part, &present)) {
		log_warn("%s: what is pinned and not needed any more could not be found",
			 u->plan->name);
		return;
	}
	for (size_t i = 0; i < present.count; i++) {
		if (!is_wanted(&wanted, present.items[i]))
			persistence_remove(u->env->pins, present.items[i], "not needed any more");
	}
}

void persistence_sweep(struct agent *a)
{
	_cleanup_strv_ struct strv parts = {0};
	struct pins *pins = a->env.pins;

	if (!pins || pins_list(pins, "", &parts))
		return;
	for (size_t i = 0; i < parts.count; i++) {
		const struct unit *u = find_unit(a, parts.items[i]);

		if (u)
			sweep_unit(u, parts.items[i]);
		else if (a->n_broken == 0) /* one of these may be whose it is */
			persistence_remove(pins, parts.items[i], "it does not run any more");
	}
	if (a->n_broken || any_unit_is_persistent(a))
		return;
	pins_close(pins);
	a->env.pins = NULL;
}
