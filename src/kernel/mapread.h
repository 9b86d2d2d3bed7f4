/* SPDX-License-Identifier: MIT */
/*
 * All entries of a BPF map, in batches where the kernel can, else key by key (bpf(2):
 * BPF_MAP_LOOKUP_BATCH, BPF_MAP_GET_NEXT_KEY). Buffers are kept: in the steady state a read
 * allocates nothing.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "kernel/object.h"

struct mapread; /* opaque */

/*
 * What a read hands over: @count entries, keys key_size apart, values value_stride apart. A value
 * is one of value_size bytes, or for a per-CPU map one for each possible CPU, value_size rounded up
 * to 8 apart. Give back 0, or a negative errno to end the read with it.
 */
typedef int (*mapread_fn)(void *ctx, const uint8_t *keys, const uint8_t *values, size_t count);

int mapread_new(const struct map_info *map, struct mapread **ret, struct error *e);
void mapread_free(struct mapread *m);

/* Bytes from one value to the next in what mapread_fn sees. */
size_t mapread_value_stride(const struct mapread *m);

/* Values an entry has: possible CPUs for a per-CPU map, else 1. */
size_t mapread_values_per_entry(const struct mapread *m);

/*
 * Reads everything. An entry that others delete meanwhile may or may not be seen; one that is there
 * all the time is seen exactly once. -EBUSY where there are no batches and entries come and go
 * faster than they can be read.
 */
int mapread_all(struct mapread *m, mapread_fn fn, void *ctx, struct error *e);

/* Removes @key; an entry that is already gone is no error. -EINVAL for maps that cannot (arrays).
 */
int mapread_delete(struct mapread *m, const void *key);
