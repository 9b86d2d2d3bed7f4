/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "kernel/object.h"

/* Gives back 0, or a negative errno that ends the reading. */
typedef int (*guard_map_fn)(void *ctx, const void *key, const void *value);

/* Calls @fn for each entry of @map, of a per-CPU map with the first of its values. */
int guard_map_each(const struct map_info *map, guard_map_fn fn, void *ctx, struct error *e);
