/* SPDX-License-Identifier: MIT */
/*
 * Maps that a part makes itself and puts into a map of maps, of a unit that outlives the daemon.
 * The next daemon finds there only their numbers, and to open a map by its number takes
 * CAP_SYS_ADMIN (bpf(2): BPF_MAP_GET_FD_BY_ID). So they are pinned beside the map that they are in,
 * as MAP-INDEX, and opened by that.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "kernel/object.h"

struct unit;

/* Pins @fd, which is about to go into @outer at @index, where @u is pinned. What cannot be is
 * logged; it is opened by its number then. @u may be NULL, and is not pinned. */
void inner_map_keep(const struct unit *u, const struct map_info *outer, uint32_t index, int fd);

/* What was at @index is there no more. */
void inner_map_forget(const struct unit *u, const struct map_info *outer, uint32_t index);

/* The map that @outer has at @index, into *ret, whose descriptor is the caller's and whose name is
 * empty. -ENOENT when there is none. */
int inner_map_open(const struct unit *u, const struct map_info *outer, uint32_t index,
		   struct map_info *ret, struct error *e);
