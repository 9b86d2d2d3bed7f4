/* SPDX-License-Identifier: MIT */
/*
 * The daemon's engine: what runs, and all that it needs. There is one struct agent and no other
 * state.
 *
 * Threads: the loop's thread owns the units (interfaces come and go, reload); the scraper's thread
 * reads them; others ask for the status.
 *	sheets_lock	held while a table or records are read, and while the set of units changes
 *	scrape_lock	held while units are read, and while the set of units changes
 *	lock		held while what a unit shows of itself (attachments) changes or is read
 * Taken in this order.
 */
#pragma once

#include <pthread.h>

#include "base/loop.h"
#include "engine/arrivals.h"
#include "engine/plan.h"
#include "engine/scrape.h"
#include "engine/unit.h"

struct ksyms;
struct cgroups;
struct hostnames;
struct netspaces;

struct agent_options {
	struct plan_options plan;
	const char *btf_path;
	const char *rootfs; /* hostnames_set_root(); NULL: the root that we have */
	enum tc_mechanism tc_mechanism;
	bool strict;
	bool rights_go; /* after agent_start(), capabilities are given up */
};

/* A module or config that should run and does not. */
struct broken {
	char *name;
	struct error error;
};

struct agent {
	struct agent_options options;
	struct unit_env env;
	struct links *links;
	struct netspaces *spaces;
	link_event_fn on_link;      /* namespaces.h */
	int namespaces_timer;       /* likewise; -1 before it was needed */
	uint64_t namespaces_logged; /* log_due() */
	struct ksyms *ksyms;
	struct cgroups *cgroups;
	struct hostnames *host;
	uint64_t cgroups_logged; /* log_due() */
	struct loop *loop;
	int claim_fd;             /* tc_claim(); -1 while another daemon has it */
	bool runs;                /* agent_start() has ended well */
	bool sweep_due;           /* persistence_sweep(), once all is attached */
	int parts_fd;             /* parts_open() */
	struct arrivals arrivals; /* interfaces whose programs are still to be attached */
	struct scraper *scraper;
	int records_timer;   /* records_timer_open() */
	uint64_t started_ns; /* CLOCK_MONOTONIC */
	struct buf *details; /* of the reload that is under way; else NULL */

	pthread_mutex_t sheets_lock;
	pthread_mutex_t scrape_lock;
	pthread_mutex_t lock;
	struct unit **units;
	size_t n_units;
	struct broken *broken;
	size_t n_broken;
	struct strv off;             /* built-in modules that are not to run */
	struct family *own_families; /* what the daemon says of itself */
	size_t n_own_families;
	_Atomic bool web_api;           /* what only looks can be asked at the web listener, too */
	bool reload_failed;             /* the last one */
	double configured;              /* when the configuration was last read well; since 1970 */
	struct buf own_labels;          /* of the sample that is just being rendered */
	double process_started;         /* seconds since the epoch */
	const struct family **families; /* everything, by name */
	size_t n_families;
};

/*
 * Builds and starts everything but what serves it: after that the units count. On a host with very
 * many interfaces the last of them are attached by the event loop. @options must outlive it. What
 * fails to load is in agent->broken and was logged; it is an error only when options->strict, or
 * when nothing is left.
 */
int agent_start(const struct agent_options *options, struct agent **ret, struct error *e);

/* The scraper's thread, and those that attach in slices; apart from agent_start(), so that
 * privileges can be dropped in between. */
int agent_start_scraper(struct agent *a, struct error *e);

/*
 * Read the configuration again. Units whose config, object and options are the same go on with
 * their counters. With anything wrong in the new one, all stays as it was; what is logged about it
 * is in @details as well.
 */
int agent_reload(struct agent *a, struct buf *details, struct error *e);

/* How reading the configuration again ended; it is in the metrics. */
void agent_note_reload(struct agent *a, bool ok);

void agent_stop(struct agent *a);

/* Check what agent_start() would run, without the kernel. What is wrong with configs is in @report,
 * all else in @e: 0, or -EINVAL. */
int agent_check(const struct agent_options *options, struct report *report, struct error *e);
