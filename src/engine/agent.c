// SPDX-License-Identifier: MIT
#include "engine/agent.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "decode/hostnames.h"
#include "engine/builtin.h"
#include "engine/mark.h"
#include "engine/namespaces.h"
#include "engine/part.h"
#include "engine/persistence.h"
#include "engine/records.h"
#include "engine/selfmetrics.h"
#include "engine/sheets.h"
#include "engine/slices.h"
#include "engine/unit_set.h"
#include "kernel/cgroups.h"
#include "kernel/kernel_btf.h"
#include "kernel/ksyms.h"
#include "kernel/mapread.h"
#include "kernel/netspaces.h"
#include "kernel/pins.h"

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
	uint32_t id;

	if (!arrivals_take(&a->arrivals, &id))
		return false;
	if (links_get(a->links, id, &link))
		tell_units(a, LINK_ADDED, &link);
	return true;
}

/* What is pinned and was not adopted by then is not wanted any more. */
static void sweep_when_attached(struct agent *a)
{
	if (!a->sweep_due || a->arrivals.count)
		return;
	a->sweep_due = false;
	persistence_sweep(a);
}

static void on_arrival(void *ctx)
{
	attach_next(ctx);
	sweep_when_attached(ctx);
}

static void on_link(void *ctx, enum link_event event, const struct link_info *link)
{
	static const char *const words[] = {
		[LINK_ADDED] = "came", [LINK_RENAMED] = "has a new name", [LINK_REMOVED] = "went"};
	struct agent *a = ctx;

	log_debug("interface %u '%s' %s", link->ifindex, link->name, words[event]);
	if (event != LINK_ADDED)
		tell_units(a, event, link);
	else if (arrivals_add(&a->arrivals, link->id))
		log_error("no memory to follow interface '%s'", link->name);
}

static void on_links_readable(void *ctx)
{
	struct agent *a = ctx;
	struct error error;

	if (links_update(a->links, on_link, a, &error))
		log_error("%s", error.text);
	if (links_heard_of_namespaces(a->links))
		namespaces_look_soon(a);
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

static void warn_of_nowhere(const struct agent *a)
{
	for (size_t i = 0; i < a->n_units; i++) {
		_cleanup_buf_ struct buf choice = {0};
		const char *name = a->units[i]->plan->name;

		if (unit_is_nowhere(a->units[i], &choice))
			log_warn("%s: no interface is there that is chosen by %s: it is attached "
				 "when one comes; 'wiregauge modules options %s' tells how to "
				 "choose others",
				 name, buf_str(&choice), name);
	}
}

/* Sends the units to all interfaces there are. Strictly, it waits for all and the first failure
 * ends it. It also waits where other namespaces could not be entered any more later. */
static int attach_everywhere(struct agent *a, bool strict, struct error *e)
{
	uint64_t start = clock_monotonic_ns();
	bool more = true, now_or_never = a->options.rights_go && namespaces_are_followed(a);

	namespaces_follow(a, on_link);
	links_each(a->links, on_link, a);
	while (more && (strict || now_or_never || clock_monotonic_ns() - start < ATTACH_WAIT_NS))
		more = attach_next(a);
	for (size_t i = 0; strict && i < a->n_units; i++) {
		const char *error = unit_attach_error(a->units[i]);

		if (error)
			return error_set(e, -EIO, "%s: %s", a->units[i]->plan->name, error);
	}
	if (a->arrivals.count)
		log_info("%zu interfaces are attached in the background", a->arrivals.count);
	else
		warn_of_nowhere(a);
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
	err = netspaces_new(&a->spaces);
	if (!err)
		err = ksyms_new(&a->ksyms);
	if (!err)
		err = cgroups_new(&a->cgroups);
	if (!err)
		err = hostnames_new(a->options.btf_path, &a->host);
	if (!err)
		err = hostnames_set_root(a->host, a->options.rootfs);
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

static bool uses_filters(const struct agent *a)
{
	enum tc_mechanism mechanism = a->options.tc_mechanism;

	return (mechanism == TC_AUTO ? tc_probe_mechanism() : mechanism) == TC_CLSACT;
}

static struct unit_env make_env(const struct agent *a)
{
	return (struct unit_env){
		.links = a->links,
		.spaces = a->spaces,
		.decode = {.links = a->links,
			   .ksyms = a->ksyms,
			   .cgroups = a->cgroups,
			   .host = a->host},
		.btf_path = a->options.btf_path,
		.tc_mechanism = a->options.tc_mechanism,
		.parts_fd = a->parts_fd,
		.strict = a->options.strict,
		.defer = !a->options.rights_go,
		.bpf_takes_capability = mapread_needs_capability(),
		.tc_uses_filters = uses_filters(a),
	};
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
	persistence_open(a, &plans);
	kernel_btf_hold(a->host->btf);
	err = unit_set_load(a, &plans, all_or_nothing, &set, e);
	if (!err)
		err = unit_set_start(a, &set, e);
	if (!err)
		err = unit_set_adopt(a, &set, e);
	if (!err) {
		unit_set_take_over(a, &set);
		err = attach_everywhere(a, a->options.strict && first, e);
	}
	if (!err)
		a->web_api = plans.web_api;
	if (!err)
		mark_attached(a);
	a->sweep_due |= !err;
	/* At the start that waits for privileges to go. */
	if (!err && a->scraper)
		err = run_slices(a, e);
	/* Either what was tried in vain, or what ran before: without the units that go on. */
	unit_set_forget_kept(a, &set);
	unit_set_free(&set);
	sweep_when_attached(a);
	plans_free(&plans);
	kernel_btf_release(a->host->btf);
	/* What loading took besides; of the heap in pieces too small to go back by themselves. */
	builtin_page_out();
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
	a->namespaces_timer = -1;
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
	a->runs = !err;
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
	for (size_t i = 0; i < a->n_units; i++) {
		if (a->runs)
			persistence_leave(a->units[i]);
		else
			persistence_leave_or_remove(a->units[i]);
	}
	set = (struct unit_set){a->units, a->n_units, a->broken, a->n_broken, a->off};
	unit_set_free(&set);
	pins_close(a->env.pins);
	free(a->env.pins_error);
	free(a->families);
	selfmetrics_free(a);
	loop_free(a->loop);
	namespaces_close(a);
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
