/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "kernel/object.h"

/* Set the entry of @key in the map of descriptor @fd, and remove it: 0 or a negative errno. */
int mapwrite_put(int fd, const void *key, const void *value);
int mapwrite_remove(int fd, const void *key);

/* The value at @key into *ret, of which a per-CPU map has one for each CPU: 0 or -ENOENT … */
int mapwrite_get(int fd, const void *key, void *ret);

/*
 * Sets @count entries, whose keys lie one behind the other at @keys and whose values at @values: in
 * one system call where the kernel has such (BPF_MAP_UPDATE_BATCH), else one by one. What was set
 * before an error stays.
 */
int mapwrite_put_all(const struct map_info *map, const void *keys, const void *values,
		     uint32_t count);

/* A map like @like with room for @entries: its descriptor, the caller's, or a negative errno. */
int mapwrite_create_like(const struct map_info *like, uint32_t flags, uint32_t entries);

/*
 * The map that a map of maps, descriptor @fd, has at index @index, into *ret, whose descriptor is
 * the caller's; *ret_flags are those that it was made with. -ENOENT when there is none. Needs what
 * bpf(2) asks for to open a map by its number: CAP_SYS_ADMIN.
 */
int mapwrite_open_inner(int fd, uint32_t index, struct map_info *ret, uint32_t *ret_flags);
