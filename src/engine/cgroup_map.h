/* SPDX-License-Identifier: MIT */
/*
 * `cgroup_id_map`: a map of the object that says to its programs which cgroups they are about. Each
 * group whose path matches a pattern of the config has an entry of 1 there, for as long as it is.
 */
#pragma once

#include "engine/unit.h"
#include "kernel/cgroups.h"

/* Finds the maps that the configs of @u name, after its object was loaded. What is wrong goes to
 * @report at its place: -EINVAL then. */
int cgroup_maps_build(struct unit *u, struct report *report);
void cgroup_maps_free(struct unit *u);

/* Enters the groups that there are, before a program asks for them. */
void cgroup_maps_fill(struct unit *u);

/* Checks the patterns, and that @o, not loaded yet, has a map as @c says. @o may be NULL. */
int cgroup_map_check(const struct config *c, const struct object *o, struct report *report);
