// SPDX-License-Identifier: MIT
#include "engine/agent.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "decode/hostnames.h"
#include "engine/mark.h"
#include "engine/part.h"
#include "engine/records.h"
#include "engine/selfmetrics.h"
#include "engine/sheets.h"
#include "engine/slices.h"
#include "kernel/cgroups.h"
#include "kernel/kernel_btf.h"
#include "kernel/ksyms.h"

/* ---- loading a set of plans ---- */

/* Units, and what did not become one: the outcome of loading a set of plans. */
struct unit_set {
	struct unit **units;
	size_t n_units;
	struct broken *broken;
	size_t n_broken;
};

static void broken_free(struct broken *broken, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(broken[i].name);
	free(broken);
}

static void unit_set_free(struct unit_set *set)
{
	for (size_t i = 0; i < set->n_units; i++)
		unit_free(set->units[i]);
	free(set->units);
	broken_free(set->broken, set->n_broken);
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

/* Loads @plan (taken over). */
static int load_anew(struct agent *a, struct plan *plan, struct unit **ret, struct error *e)
{
	_cleanup_report_ struct report report = {.lenient = a->options.plan.lenient};
	int err = unit_load(plan, &a->env, &report, ret, e);

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
		err = load_anew(a, plan, &u, e);
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

/* Attaches the units of @set that do not run yet. What runs is not touched. */
static int start_units(struct agent *a, const struct unit_set *set, struct error *e)
{
	int err = 0;

	for (size_t i = 0; !err && i < set->n_units; i++) {
		struct unit *u = set->units[i];

		if (u != find_unit(a->units, a->n_units, u->plan->name))
			err = unit_start(u, e);
	}
	return err;
}

/* ---- the list of families, by name ---- */

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

/* The units become those of @set, which is empty then; the ones that it does not use are given back
 * to be freed. */
static int adopt(struct agent *a, struct unit_set *set, struct error *e)
{
	struct unit_set before = {a->units, a->n_units, a->broken, a->n_broken};
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
	a->families = families;
	a->n_families = n;
	pthread_mutex_unlock(&a->lock);
	pthread_mutex_unlock(&a->scrape_lock);
	pthread_mutex_unlock(&a->sheets_lock);
	free(old);
	*set = before;
	return 0;
}

/* The agent's units take over the interfaces of those of their names that ran @before; what these
 * keep makes room. Only now, when nothing can fail any more: there is no way back. */
static void take_over(struct agent *a, const struct unit_set *before)
{
	pthread_mutex_lock(&a->lock);
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

/* ---- scraping ---- */

static void read_units(void *ctx)
{
	struct agent *a = ctx;

	pthread_mutex_lock(&a->scrape_lock);
	for (size_t i = 0; i < a->n_units; i++)
		unit_read(a->units[i]);
	sheets_expire(a);
}

static void render_families(void *ctx, const struct exposition *x, struct buf *out)
{
	const struct agent *a = ctx;

	exposition_render(x, (struct family_list){a->families, a->n_families}, out);
}

static void release_units(void *ctx)
{
	struct agent *a = ctx;

	pthread_mutex_unlock(&a->scrape_lock);
}

/* Sampled probes are attached and detached from now on. */
static int run_slices(struct agent *a, struct error *e)
{
	int err = 0;

	for (size_t i = 0; !err && i < a->n_units; i++)
		err = slices_run(a->units[i], e);
	return err;
}

int agent_start_scraper(struct agent *a, struct error *e)
{
	const struct scrape_source source = {read_units, render_families, release_units, a};

	int err = run_slices(a, e);

	return err ? err : scraper_start(&source, &a->scraper, e);
}

/* ---- interfaces ---- */

/* How long a start waits for programs to be attached before it goes on and leaves the rest to the
 * loop. */
#define ATTACH_WAIT_NS (NSEC_PER_SEC / 4)

static void tell_units(struct agent *a, enum link_event event, const struct link_info *link)
{
	/* Only for this one: whoever asks for the status must not wait for a thousand
	 * interfaces. */
	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < a->n_units; i++)
		unit_link_event(a->units[i], event, link);
	pthread_mutex_unlock(&a->lock);
}

/* Attaches what belongs at the first interface that waits; false when none does. */
static bool attach_next(struct agent *a)
{
	struct link_info link;
	uint32_t ifindex;

	if (!arrivals_take(&a->arrivals, &ifindex))
		return false;
	if (links_get(a->links, ifindex, &link))
		tell_units(a, LINK_ADDED, &link);
	return true;
}

static void on_arrival(void *ctx)
{
	attach_next(ctx);
}

static void on_link(void *ctx, enum link_event event, const struct link_info *link)
{
	static const char *const words[] = {
		[LINK_ADDED] = "came", [LINK_RENAMED] = "has a new name", [LINK_REMOVED] = "went"};
	struct agent *a = ctx;

	log_debug("interface %u '%s' %s", link->ifindex, link->name, words[event]);
	if (event != LINK_ADDED)
		tell_units(a, event, link);
	else if (arrivals_add(&a->arrivals, link->ifindex))
		log_error("no memory to follow interface '%s'", link->name);
}

static void on_links_readable(void *ctx)
{
	struct agent *a = ctx;
	struct error error;

	if (links_update(a->links, on_link, a, &error))
		log_error("%s", error.text);
}

static void on_cgroup(void *ctx, enum cgroup_event event, const struct cgroup_info *group)
{
	struct agent *a = ctx;

	for (size_t i = 0; i < a->n_units; i++)
		unit_cgroup_event(a->units[i], event, group);
}

static void on_cgroups_readable(void *ctx)
{
	struct agent *a = ctx;
	struct error error;

	if (cgroups_update(a->cgroups, on_cgroup, a, &error) && log_due(&a->cgroups_logged))
		log_warn("%s", error.text);
}

static void on_parts_ready(void *ctx)
{
	const struct agent *a = ctx;

	parts_ready(a->parts_fd);
}

/* Sends the units to all interfaces there are. Strictly, it waits for all and the first failure
 * ends it. */
static int attach_everywhere(struct agent *a, bool strict, struct error *e)
{
	uint64_t start = clock_monotonic_ns();
	bool more = true;

	links_each(a->links, on_link, a);
	while (more && (strict || clock_monotonic_ns() - start < ATTACH_WAIT_NS))
		more = attach_next(a);
	for (size_t i = 0; strict && i < a->n_units; i++) {
		const char *error = unit_attach_error(a->units[i]);

		if (error)
			return error_set(e, -EIO, "%s: %s", a->units[i]->plan->name, error);
	}
	if (a->arrivals.count)
		log_info("%zu interfaces are attached in the background", a->arrivals.count);
	return 0;
}

/* ---- life ---- */

/* Before anything of ours is there: what is found then is what a killed daemon left, unless another
 * one runs here. */
static void remove_leftovers(struct agent *a)
{
	unsigned removed = 0;
	struct error error;
	int err = tc_claim(&a->claim_fd, &error);

	if (err == -EADDRINUSE) {
		log_debug("%s", error.text);
		return;
	}
	if (!err)
		err = tc_cleanup(&removed, &error);
	if (err)
		log_warn("what a killed daemon may have left stays: %s", error.text);
	if (removed)
		log_info("removed %u filters that a killed daemon left", removed);
}

static void on_records_timer(void *ctx)
{
	records_tick(ctx);
}

static int open_records_timer(struct agent *a)
{
	a->records_timer = records_timer_open();
	if (a->records_timer < 0)
		return a->records_timer;
	return loop_add(a->loop, a->records_timer, on_records_timer, a);
}

static int open_kernel(struct agent *a, struct error *e)
{
	int err = links_open(&a->links, e);

	if (err)
		return err;
	err = ksyms_new(&a->ksyms);
	if (!err)
		err = cgroups_new(&a->cgroups);
	if (!err)
		err = hostnames_new(a->options.btf_path, &a->host);
	if (!err)
		err = loop_new(&a->loop);
	if (!err)
		err = arrivals_open(&a->arrivals);
	if (!err)
		err = loop_add(a->loop, a->arrivals.event_fd, on_arrival, a);
	if (!err && (a->parts_fd = parts_open()) < 0)
		err = a->parts_fd;
	if (!err)
		err = loop_add(a->loop, a->parts_fd, on_parts_ready, a);
	if (!err)
		err = loop_add(a->loop, links_fd(a->links), on_links_readable, a);
	if (!err)
		err = open_records_timer(a);
	if (!err)
		err = loop_add(a->loop, cgroups_fd(a->cgroups), on_cgroups_readable, a);
	if (err)
		return error_set(e, err, "cannot set up the event loop: %s", error_words(err));
	remove_leftovers(a);
	return 0;
}

static struct unit_env make_env(const struct agent *a)
{
	return (struct unit_env){
		.links = a->links,
		.decode = {.links = a->links,
			   .ksyms = a->ksyms,
			   .cgroups = a->cgroups,
			   .host = a->host},
		.btf_path = a->options.btf_path,
		.tc_mechanism = a->options.tc_mechanism,
		.parts_fd = a->parts_fd,
		.strict = a->options.strict,
	};
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

/* Everything is attached: runs the programs that wait for it. */
static void mark_attached(struct agent *a)
{
	bool wait = false;

	for (size_t i = 0; i < a->n_units; i++)
		wait |= unit_waits_for_mark(a->units[i]);
	if (!wait)
		return;
	post_attach_mark();
	for (size_t i = 0; i < a->n_units; i++)
		unit_was_marked(a->units[i]);
}

/* The units of @set that are also the agent's stay with the agent. */
static void forget_kept(struct agent *a, struct unit_set *set)
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

/*
 * Makes what the configuration says now run, in the place of what runs. With @all_or_nothing
 * anything wrong in it leaves all as it was; else what is wrong is left out.
 */
static int load_configuration(struct agent *a, bool all_or_nothing, struct error *e)
{
	bool first = a->n_units == 0;
	struct plans plans = {0};
	struct unit_set set = {0};
	int err = plans_build(&a->options.plan, &plans, e);

	if (err)
		return err;
	kernel_btf_hold(a->host->btf);
	report_broken_configs(a, &plans, &set);
	if (all_or_nothing && set.n_broken) {
		*e = set.broken[0].error;
		err = e->code;
	}
	if (!err)
		err = load_plans(a, &plans, all_or_nothing, &set, e);
	if (!err)
		err = check_something_runs(&set, e);
	if (!err)
		err = start_units(a, &set, e);
	if (!err)
		err = adopt(a, &set, e);
	if (!err) {
		take_over(a, &set);
		err = attach_everywhere(a, a->options.strict && first, e);
	}
	if (!err)
		mark_attached(a);
	/* At the start that waits for privileges to go. */
	if (!err && a->scraper)
		err = run_slices(a, e);
	/* Either what was tried in vain, or what ran before: without the units that go on. */
	forget_kept(a, &set);
	unit_set_free(&set);
	plans_free(&plans);
	kernel_btf_release(a->host->btf);
	/* What loading took besides, in pieces too small to go back by themselves. */
	malloc_trim(0);
	return err;
}

int agent_start(const struct agent_options *options, struct agent **ret, struct error *e)
{
	struct agent *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return error_set(e, -ENOMEM, "no memory");
	a->options = *options;
	a->started_ns = clock_monotonic_ns();
	a->configured = clock_realtime_seconds();
	a->arrivals.event_fd = -1;
	a->claim_fd = -1;
	a->records_timer = -1;
	a->parts_fd = -1;
	pthread_mutex_init(&a->sheets_lock, NULL);
	pthread_mutex_init(&a->scrape_lock, NULL);
	pthread_mutex_init(&a->lock, NULL);
	if (selfmetrics_init(a))
		err = error_set(e, -ENOMEM, "no memory");
	else
		err = open_kernel(a, e);
	if (!err) {
		a->env = make_env(a);
		err = load_configuration(a, options->strict, e);
	}
	if (err) {
		agent_stop(a);
		return err;
	}
	*ret = a;
	return 0;
}

void agent_stop(struct agent *a)
{
	struct unit_set set;

	if (!a)
		return;
	scraper_stop(a->scraper);
	set = (struct unit_set){a->units, a->n_units, a->broken, a->n_broken};
	unit_set_free(&set);
	free(a->families);
	selfmetrics_free(a);
	loop_free(a->loop);
	arrivals_close(&a->arrivals);
	links_close(a->links);
	fd_close(a->records_timer);
	fd_close(a->claim_fd);
	fd_close(a->parts_fd);
	hostnames_free(a->host);
	cgroups_free(a->cgroups);
	ksyms_free(a->ksyms);
	pthread_mutex_destroy(&a->lock);
	pthread_mutex_destroy(&a->scrape_lock);
	pthread_mutex_destroy(&a->sheets_lock);
	free(a);
}

int agent_reload(struct agent *a, struct buf *details, struct error *e)
{
	int err;

	a->details = details;
	err = load_configuration(a, true, e);
	a->details = NULL;
	return err;
}

void agent_note_reload(struct agent *a, bool ok)
{
	pthread_mutex_lock(&a->scrape_lock);
	a->reload_failed = !ok;
	if (ok)
		a->configured = clock_realtime_seconds();
	pthread_mutex_unlock(&a->scrape_lock);
}

int agent_check(const struct agent_options *options, struct report *report, struct error *e)
{
	struct plans plans = {0};
	int err = plans_build(&options->plan, &plans, e);

	if (err)
		return err;
	for (size_t i = 0; i < plans.count; i++)
		unit_check_plan(plans.items[i], &plans.report);
	if (plans.report.errors)
		err = error_set_usage(e, "the configuration is wrong: %u errors",
				      plans.report.errors);
	*report = plans.report;
	plans.report = (struct report){0};
	plans_free(&plans);
	return err;
}
