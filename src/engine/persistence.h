/* SPDX-License-Identifier: MIT */
/*
 * Units that outlive the daemon: `persistent: true`. Their maps and their links at interfaces are
 * pinned (kernel/pins.h):
 *
 *	<bpffs>/wiregauge/<namespace>/<plan>/<layout>/maps/<map>[-<index>]
 *	                                    /links/<hook>-<inode of the network namespace>-<ifindex>
 *
 * The next unit of that plan, of a new start or of a reload, has the same maps, and its programs
 * take the place of those that run: no packet passes unseen, nothing that was learnt is forgotten.
 *
 * A layout is that of one map: of a stage's maps, which are called STAGE_…, the stage's, of all
 * others the owner's of the object. A map of another layout is another map.
 */
#pragma once

#include "engine/hook.h"
#include "engine/unit.h"

struct agent;
struct buf;
struct plans;

/* Between the name of a map of maps and the index of what is in it: inner_maps.h. Neither the name
 * of a map nor a number has it. */
#define PERSISTENCE_INNER '-'

bool plan_is_persistent(const struct plan *p);

/* Adds the path of where the pins of @u are; nothing when it is not pinned. */
void persistence_add_path(const struct unit *u, struct buf *text);

/* Appends the name that the pin of @map, of the object of @p, has; false when it has none: what
 * the daemon fills or empties itself, and what belongs to a stage that is switched off. */
bool persistence_add_map_name(const struct plan *p, const struct map_info *map, struct buf *name);

/* The same of the link of @a: at a hook that has room for one program that is said by the interface
 * alone; elsewhere its program's name is added, as a unit may have several there. */
void persistence_add_link_name(const struct hook_request *r, const struct attachment *a,
			       struct buf *name);

/*
 * Before the object of @u is loaded: its maps are those of u->predecessor, or else those that are
 * pinned. What cannot be is logged, and begins anew.
 */
int persistence_reuse_maps(struct unit *u, struct error *e);

/* After that, before anybody uses the maps: what was in maps of another size is put into those of
 * @u. */
void persistence_carry_maps(struct unit *u);

/* When nothing can fail any more: what @u has is pinned from now on. Where it cannot be it is
 * logged, and @u ends with the daemon. */
void persistence_pin(struct unit *u);

/* Why @u, or a part of it, is not pinned, valid until the next reload; NULL when all is. */
const char *persistence_error(const struct unit *u);

/* Puts the program of @r in the place of the one that a pinned link holds at r->link: 1. 0 when
 * there is none, or none that this can be done with; that one is away then. */
int persistence_adopt_link(const struct hook_request *r, struct error *e);

/* Pins the link of @a, which was just attached. */
void persistence_pin_link(const struct hook_request *r, struct attachment *a);
/* What is pinned for r->link is left as it is: the program of @r could not take its place. */
void persistence_hold_link(const struct hook_request *r);

void persistence_unpin_link(const struct hook_request *r, struct attachment *a);

/* The daemon ends: what is pinned of @u stays when @u is freed. */
void persistence_leave(struct unit *u);

/* As persistence_leave(), for a start that failed; what was not there before it goes. */
void persistence_leave_or_remove(struct unit *u);

void persistence_free(struct unit *u);

/* Claims what is pinned, when one of @plans is persistent or something is there. */
void persistence_open(struct agent *a, const struct plans *plans);

/* Removes the pin or directory @name, and says in the log @why. */
void persistence_remove(struct pins *pins, const char *name, const char *why);

/* Once all is attached: removes what is pinned for no unit that runs. */
void persistence_sweep(struct agent *a);
