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

/* The number of the map that a map of maps, descriptor @fd, has at @index; -ENOENT when there is
 * none. */
int mapwrite_inner_number(int fd, uint32_t index, uint32_t *ret);

/* A descriptor of the map of that number, the caller's, or a negative errno. Takes
 * CAP_SYS_ADMIN. */
int mapwrite_open_number(uint32_t number);

/* What the map of descriptor @fd is, and its number. *ret has no name, and the descriptor is not
 * in it. */
int mapwrite_look_at(int fd, struct map_info *ret, uint32_t *ret_number);
