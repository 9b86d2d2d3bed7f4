/* SPDX-License-Identifier: MIT */
/*
 * The part of guard in user space: all that it knows. One of it while the module runs; everything
 * but fill() is called in the event loop's thread, so that nothing is locked.
 *
 *	guard.c			starts, ticks, stops
 *	guard_options.c		what is configured
 *	guard_lists.c, guard_set.c	lists: files, and the kernel's maps
 *	guard_limits.c, guard_bans.c	limits and bans
 *	guard_protect.c		whom a rule must not cut off
 *	guard_change.c		one way to change any of it, and back
 *	guard_confirm.c		back, unless somebody confirms
 *	guard_log.c		what was done, why, and by whom
 *	guard_detect.c		what is not as usual, and what is done about it
 *	guard_operations.c	the same for people
 *	guard_diff.c		what was commanded, against what is configured
 */
#pragma once

#include "engine/part.h"
#include "guard_books.h"
#include "guard_detect.h"
#include "guard_limits.h"
#include "guard_log.h"
#include "guard_options.h"
#include "guard_protect.h"
#include "guard_set.h"

struct guard {
	struct guard_options options;
	struct guard_settings *settings; /* the kernel's, mapped */
	struct guard_set set;
	struct guard_limits limits;
	struct map_info bans;
	struct map_info pending; /* guard_books.h, as are these */
	struct map_info memory;
	struct map_info gauges;
	struct map_info entries;
	struct map_info heartbeat;
	size_t n_bans;
	struct guard_detect detect;
	struct guard_log log;
	struct guard_items declared; /* until they are in the kernel */
	size_t list_mistakes;
	bool to_apply; /* at the first tick: what is configured */
	bool settled;  /* that tick has been */
	int timer_fd;
	uint64_t protected_ns; /* when that was last looked up, CLOCK_MONOTONIC */
	uint64_t swept_ns;     /* likewise bans that have expired */
	struct guard_protected_set protected;
	struct guard_items shielded; /* what is in the allow list as GUARD_BY_PROTECTION */
};

/* Reads the lists of the configuration and their files into @ret, which is then settled. Lines that
 * are no networks are in @mistakes and left out. */
int guard_read_declared(const struct guard_options *o, struct guard_items *ret,
			struct guard_mistakes *mistakes, struct error *e);

/* Puts @declared, which is settled, in the place of what was declared before; all else stays. */
int guard_take_declared(struct guard *g, const struct guard_items *declared, struct error *e);

/* Heartbeat, what is due, and the numbers for the metrics. */
void guard_tick(struct guard *g);

/* For wiregauge config diff (engine/part.h). */
void guard_diff(void *state, const struct module *declared, difference_fn add, void *ctx);

/* Looks up who is protected now, and lets them through whatever the lists say. */
int guard_protect_now(struct guard *g, struct error *e);
