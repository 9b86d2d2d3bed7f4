/* SPDX-License-Identifier: MIT */
/*
 * Parts: what a built-in module does in user space beside its programs, modules/<name>/<name>.c.
 * For what no program and no manifest can do: hold a socket, write to a map what only user space
 * knows, do something now and then (a timerfd is a descriptor that becomes readable), or each time
 * before the maps are read.
 *
 *	static int start(const struct part_context *c, void *state, int *ret_fd, struct error *e);
 *	static void ready(void *state);
 *	static int fill(void *state, struct error *e);
 *	static void stop(void *state);
 *
 *	MODULE_PART(latency, .state_size = sizeof(struct latency), .start = start, .ready = ready,
 *		    .stop = stop);
 *
 * All but fill() are called in the event loop's thread. The linker gathers the rows, so that no
 * list is kept.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "engine/difference.h"
#include "engine/plan.h"
#include "kernel/object.h"

struct agent;
struct unit;

/* What a part is given; all of it lives until stop(). */
struct part_context {
	const struct object *object; /* loaded: its maps are there (object_find_map) */
	const struct module *module; /* its options (module_option) */
	const struct unit *unit;     /* for inner_maps.h */
	/*
	 * Of a module that outlives the daemon (`persistent:`): its maps are those of a run before,
	 * or of the unit that a reload takes the place of, with what is in them. Programs may be at
	 * work with them right now, also while no daemon ran. On a reload the part before has the
	 * same maps, and its stop() comes after start() of the new one. False: they are new.
	 */
	bool adopted;
};

struct part {
	const char *module;
	size_t state_size; /* of its state, all zeros at first */
	bool makes_maps;   /* also later, so that CAP_BPF is kept: see privileges.h */
	/*
	 * After the object is loaded, before programs are attached. A descriptor of the part's own,
	 * or -1, goes to *ret_fd, which is -1 already. When it fails, it leaves nothing behind, and
	 * the module runs without it: what it says is logged.
	 */
	int (*start)(const struct part_context *c, void *state, int *ret_fd, struct error *e);
	/* The descriptor is readable, and stays so until this reads it. NULL without descriptor. */
	void (*ready)(void *state);
	/*
	 * For a scrape or a table, before iterators run and maps are read, in the thread of who
	 * asks, one at a time: not while start() or stop() run, but ready() may. What fails counts
	 * as a read error. May be NULL.
	 */
	int (*fill)(void *state, struct error *e);
	/*
	 * For `wiregauge config diff`: calls @add with what it has been told while running, or not
	 * yet, and @declared, its options as they are now declared, says otherwise; d->module may
	 * be NULL. Its options themselves are compared without it. May be NULL.
	 */
	void (*diff)(void *state, const struct module *declared, difference_fn add, void *ctx);
	/* When the programs are detached; after a start() that did not fail. */
	void (*stop)(void *state);
};

/* Pointers, as a compiler may align structs further apart than their size. */
#define MODULE_PART(name_, ...)                                                                    \
	static const struct part name_##_part = {.module = #name_, __VA_ARGS__};                   \
	static const struct part *const name_##_part_row                                           \
		__attribute__((used, section("module_parts"))) = &name_##_part

/* One descriptor for those of all parts: readable when one of them is; or a negative errno. */
int parts_open(void);

/* The descriptor of parts_open() is readable: calls ready() of one of them. */
void parts_ready(int parts_fd);

/* The parts of the modules of @u, whose object is loaded. With env->strict a part that does not
 * start is an error; else it is logged. */
int parts_start(struct unit *u, struct error *e);

/* The state of the part of @module that runs; NULL when none does. In the loop's thread, and not
 * kept: the next reload may end it. */
void *part_state(struct agent *a, const char *module);

/* The unit that it runs in, likewise. */
const struct unit *part_unit(const struct agent *a, const char *module);

/* diff() of the part of @declared that runs in @u, if there is one. In the loop's thread. */
void part_diff(const struct unit *u, const struct module *declared, difference_fn add, void *ctx);

/* Whether a part that runs in @u has makes_maps. */
bool parts_make_maps(const struct unit *u);

void parts_fill(struct unit *u);
void parts_stop(struct unit *u);
