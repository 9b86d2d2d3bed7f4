/* SPDX-License-Identifier: MIT */
/*
 * The units that a configuration asks for, made beside those that run before they take their place:
 *
 *	unit_set_load → unit_set_start → unit_set_adopt → unit_set_take_over
 *
 * What fails before unit_set_adopt() leaves all as it was. Units that run already and are unchanged
 * are in both.
 */
#pragma once

#include "engine/agent.h"

/* All zero is an empty one. */
struct unit_set {
	struct unit **units;
	size_t n_units;
	struct broken *broken; /* what did not become one */
	size_t n_broken;
	struct strv off; /* built-in modules that are not asked for */
};

/*
 * Makes units of all @plans, which are taken over one by one. What is wrong with one is logged and
 * in set->broken; it is an error with @all_or_nothing, or when nothing is left.
 */
int unit_set_load(struct agent *a, struct plans *plans, bool all_or_nothing, struct unit_set *set,
		  struct error *e);

/* Attaches the units of @set that do not run yet. What runs is not touched. */
int unit_set_start(struct agent *a, const struct unit_set *set, struct error *e);

/* The agent's units become those of @set, which gets the ones before instead. -ENOMEM. */
int unit_set_adopt(struct agent *a, struct unit_set *set, struct error *e);

/* The agent's units take over the interfaces of those of their names that ran @before; what these
 * keep makes room. Only when nothing can fail any more: there is no way back. */
void unit_set_take_over(struct agent *a, const struct unit_set *before);

/* The units of @set that are also the agent's stay with the agent. */
void unit_set_forget_kept(const struct agent *a, struct unit_set *set);

/* Detaches and unloads those that are left. */
void unit_set_free(struct unit_set *set);
