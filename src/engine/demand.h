/* SPDX-License-Identifier: MIT */
/*
 * What plans ask of a host: the kinds of programs and of maps, and the helpers, as their objects
 * have them. Nothing is loaded for that.
 */
#pragma once

#include "engine/plan.h"
#include "host/ability.h"
#include "host/helpers.h"

/* Some thing, and the modules that use it. */
struct demand_row {
	char *section; /* of a program; NULL for a map */
	uint32_t map_type;
	struct strv users;
};

struct demand {
	struct demand_row *rows;
	size_t n_rows;
	struct helper_use *helpers;
	size_t n_helpers;
	struct strv xdp_programs; /* names */
	bool everything;          /* of whoever asks in general: also what no plan uses */
};

/* Adds what @p asks for. An object that cannot be read asks for nothing: the plan's own trial tells
 * why. -ENOMEM. */
int demand_add(struct demand *d, const struct plan *p);
void demand_free(struct demand *d);

/* Whether @program, of the object of @p, is one of module @module of @p. Of a pipeline all are
 * those of each of its stages, but what another stage attaches. */
bool demand_is_of(const struct plan *p, size_t module, const char *program);

/* ability_wanted_fn; @ctx is a struct demand. */
bool demand_wants(const void *ctx, const struct ability *a, struct strv *users);

/* Modules with a program whose SEC() begins with a word of @sections, into @users; whether there
 * are any. */
bool demand_find_sections(const struct demand *d, const char *sections, struct strv *users);
