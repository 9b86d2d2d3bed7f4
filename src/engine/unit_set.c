// SPDX-License-Identifier: MIT
#include "engine/unit_set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/persistence.h"

/* ---- making units of plans ---- */

static void broken_free(struct broken *broken, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(broken[i].name);
	free(broken);
}

void unit_set_free(struct unit_set *set)
{
	for (size_t i = 0; i < set->n_units; i++)
		unit_free(set->units[i]);
	free(set->units);
	broken_free(set->broken, set->n_broken);
	strv_free(&set->off);
	*set = (struct unit_set){0};
}

static void add_broken(struct unit_set *set, const char *name, const struct error *error)
{
	struct broken *broken = reallocarray(set->broken, set->n_broken + 1, sizeof(*broken));

	if (!broken)
		return;
	set->broken = broken;
	broken[set->n_broken].name = strdup(name);
	broken[set->n_broken].error = *error;
	set->n_broken += broken[set->n_broken].name != NULL;
}

/* The unit of that name among @units, or NULL. */
static struct unit *find_unit(struct unit *const *units, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (STREQ(units[i]->plan->name, name))
			return units[i];
	}
	return NULL;
}

static bool is_unchanged(const struct unit *unit, const struct plan *plan)
{
	return unit &&
	       memcmp(unit->plan->fingerprint, plan->fingerprint, sizeof(plan->fingerprint)) == 0;
}

/* A family of the first @count collectors of @u that @f cannot be beside, or NULL. */
static const struct family *find_collision(const struct unit *u, size_t count,
					   const struct family *f)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < collector_family_count(u->collectors[i]); k++) {
			const struct family *other = collector_family(u->collectors[i], k);

			if (family_collides(f, other))
				return other;
		}
	}
	return NULL;
}

/* What @f, of collector @index of @unit, cannot be beside, and whose that is: a config's, the
 * daemon's own, or NULL. */
static const struct family *find_exporter(const struct agent *a, const struct unit_set *set,
					  const struct unit *unit, size_t index,
					  const struct family *f, const char **ret_whose)
{
	const struct family *other;

	*ret_whose = "the daemon itself";
	for (size_t i = 0; i < a->n_own_families; i++) {
		if (family_collides(f, &a->own_families[i]))
			return &a->own_families[i];
	}
	for (size_t i = 0; i < set->n_units; i++) {
		*ret_whose = set->units[i]->plan->name;
		other = find_collision(set->units[i], set->units[i]->n_collectors, f);
		if (other)
			return other;
	}
	*ret_whose = "another of its modules";
	return find_collision(unit, index, f);
}

static int report_collision(const struct family *f, const struct family *other, const char *whose,
			    struct error *e)
{
	if (STREQ(f->name, other->name))
		return error_set_usage(e,
				       "metric '%s' is already exported by %s; give one of them "
				       "another name",
				       f->name, whose);
	return error_set_usage(
		e,
		"metric '%s' and '%s', which %s exports, would have samples of one "
		"name, as a histogram's end in _bucket, _sum and _count; give one of "
		"them another name",
		f->name, other->name, whose);
}

/* Two configs that export one name would say different things under it. */
static int check_names(const struct agent *a, const struct unit_set *set, const struct unit *unit,
		       struct error *e)
{
	for (size_t i = 0; i < unit->n_collectors; i++) {
		for (size_t k = 0; k < collector_family_count(unit->collectors[i]); k++) {
			const struct family *f = collector_family(unit->collectors[i], k), *other;
			const char *whose;

			other = find_exporter(a, set, unit, i, f, &whose);
			if (other)
				return report_collision(f, other, whose, e);
		}
	}
	return 0;
}

static void tell_report(struct agent *a, struct report *r)
{
	if (r->text.len == 0)
		return;
	log_write(r->errors ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "%s", buf_str(&r->text));
	if (a->details)
		buf_add(a->details, r->text.data, r->text.len);
}

/* Loads @plan (taken over), in the place of @predecessor, if there is one. */
static int load_anew(struct agent *a, struct plan *plan, const struct unit *predecessor,
		     struct unit **ret, struct error *e)
{
	_cleanup_report_ struct report report = {.lenient = a->options.plan.lenient};
	int err = unit_load(plan, &a->env, predecessor, &report, ret, e);

	tell_report(a, &report);
	return err;
}

/* The unit of @plan (taken over), to stand behind those of @set: the agent's own where that is
 * unchanged. */
static int load_plan(struct agent *a, struct plan *plan, const struct unit_set *set,
		     struct unit **ret, struct error *e)
{
	struct unit *u = find_unit(a->units, a->n_units, plan->name);
	bool keep = is_unchanged(u, plan);
	int err = 0;

	if (keep)
		plan_free(plan);
	else
		err = load_anew(a, plan, u, &u, e);
	if (err)
		return err;
	/* Also of one that is kept: a new one before it may have taken its names. */
	err = check_names(a, set, u, e);
	if (!err)
		*ret = u;
	else if (!keep)
		unit_free(u);
	return err;
}

/* Makes units of all plans, not yet attached. With @all_or_nothing the first failure ends it. */
static int load_plans(struct agent *a, struct plans *plans, bool all_or_nothing,
		      struct unit_set *set, struct error *e)
{
	set->units = calloc(MAX(plans->count, (size_t)1), sizeof(struct unit *));
	if (!set->units)
		return error_set(e, -ENOMEM, "no memory");
	set->n_units = 0;
	for (size_t i = 0; i < plans->count; i++) {
		struct plan *plan = TAKE_PTR(plans->items[i]);
		_cleanup_free_ char *name = strdup(plan->name);
		struct error error;

		if (!load_plan(a, plan, set, &set->units[set->n_units], &error)) {
			set->n_units++;
			continue;
		}
		error_prefix(&error, "%s", name ? name : "");
		if (all_or_nothing) {
			*e = error;
			return error.code;
		}
		log_error("%s", error.text);
		add_broken(set, name ? name : "", &error);
	}
	return 0;
}

static void report_broken_configs(struct agent *a, struct plans *plans, struct unit_set *set)
{
	struct error error;

	tell_report(a, &plans->report);
	for (size_t i = 0; i < plans->broken.count; i++) {
		error_set_usage(&error, "%s: %s", plans->broken.items[i],
				plans->complaints.items[i]);
		add_broken(set, plans->broken.items[i], &error);
	}
}

/* With nothing to show, the daemon would only look as if it worked. */
static int check_something_runs(const struct unit_set *set, struct error *e)
{
	if (set->n_units)
		return 0;
	if (set->n_broken) { /* each has been told already; the first decides the exit code */
		*e = set->broken[0].error;
		snprintf(e->text, sizeof(e->text), "nothing runs: all that was to run is broken");
		return e->code;
	}
	return error_set_usage(e, "nothing to run: no module is enabled and no config is given");
}

int unit_set_load(struct agent *a, struct plans *plans, bool all_or_nothing, struct unit_set *set,
		  struct error *e)
{
	int err;

	report_broken_configs(a, plans, set);
	set->off = plans->off;
	plans->off = (struct strv){0};
	if (all_or_nothing && set->n_broken) {
		*e = set->broken[0].error;
		return e->code;
	}
	err = load_plans(a, plans, all_or_nothing, set, e);
	return err ? err : check_something_runs(set, e);
}

/* ---- putting them in the place of what runs ---- */

int unit_set_start(struct agent *a, const struct unit_set *set, struct error *e)
{
	int err = 0;

	for (size_t i = 0; !err && i < set->n_units; i++) {
		struct unit *u = set->units[i];

		if (u != find_unit(a->units, a->n_units, u->plan->name))
			err = unit_start(u, e);
	}
	return err;
}

static int compare_families(const void *a, const void *b)
{
	const struct family *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static size_t count_families(const struct agent *a, struct unit *const *units, size_t n_units)
{
	size_t n = a->n_own_families;

	for (size_t i = 0; i < n_units; i++) {
		for (size_t k = 0; k < units[i]->n_collectors; k++)
			n += collector_family_count(units[i]->collectors[k]);
	}
	return n;
}

static int list_families(const struct agent *a, struct unit *const *units, size_t n_units,
			 const struct family ***ret, size_t *ret_count)
{
	size_t n = count_families(a, units, n_units), at = 0;
	const struct family **list = calloc(MAX(n, (size_t)1), sizeof(struct family *));

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < a->n_own_families; i++)
		list[at++] = &a->own_families[i];
	for (size_t i = 0; i < n_units; i++) {
		for (size_t k = 0; k < units[i]->n_collectors; k++) {
			const struct collector *c = units[i]->collectors[k];

			for (size_t f = 0; f < collector_family_count(c); f++)
				list[at++] = collector_family(c, f);
		}
	}
	qsort(list, n, sizeof(struct family *), compare_families);
	*ret = list;
	*ret_count = n;
	return 0;
}

int unit_set_adopt(struct agent *a, struct unit_set *set, struct error *e)
{
	struct unit_set before = {a->units, a->n_units, a->broken, a->n_broken, a->off};
	const struct family **families, **old;
	size_t n;

	if (list_families(a, set->units, set->n_units, &families, &n))
		return error_set(e, -ENOMEM, "no memory");
	pthread_mutex_lock(&a->sheets_lock);
	pthread_mutex_lock(&a->scrape_lock);
	pthread_mutex_lock(&a->lock);
	old = a->families;
	a->units = set->units;
	a->n_units = set->n_units;
	a->broken = set->broken;
	a->n_broken = set->n_broken;
	a->off = set->off;
	a->families = families;
	a->n_families = n;
	pthread_mutex_unlock(&a->lock);
	pthread_mutex_unlock(&a->scrape_lock);
	pthread_mutex_unlock(&a->sheets_lock);
	free(old);
	*set = before;
	return 0;
}

void unit_set_take_over(struct agent *a, const struct unit_set *before)
{
	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < a->n_units; i++)
		persistence_pin(a->units[i]);
	for (size_t i = 0; i < before->n_units; i++) {
		struct unit *old = before->units[i];
		struct unit *u = find_unit(a->units, a->n_units, old->plan->name);

		if (u == old)
			continue;
		if (u)
			unit_take_over(u, old);
		unit_make_room(old);
	}
	pthread_mutex_unlock(&a->lock);
}

void unit_set_forget_kept(const struct agent *a, struct unit_set *set)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n_units; i++) {
		bool kept = false;

		for (size_t k = 0; k < a->n_units; k++)
			kept |= a->units[k] == set->units[i];
		if (!kept)
			set->units[n++] = set->units[i];
	}
	set->n_units = n;
}
