// SPDX-License-Identifier: MIT
#include "guard_map.h"

#include "kernel/mapread.h"

struct map_reading {
	const struct map_info *map;
	size_t stride;
	guard_map_fn fn;
	void *ctx;
};

static int on_entries(void *ctx, const uint8_t *keys, const uint8_t *values, size_t count)
{
	const struct map_reading *r = ctx;
	int err = 0;

	for (size_t i = 0; !err && i < count; i++)
		err = r->fn(r->ctx, keys + i * r->map->key_size, values + i * r->stride);
	return err;
}

int guard_map_each(const struct map_info *map, guard_map_fn fn, void *ctx, struct error *e)
{
	struct map_reading r = {.map = map, .fn = fn, .ctx = ctx};
	struct mapread *reader;
	int err = mapread_new(map, &reader, e);

	if (err)
		return err;
	r.stride = mapread_value_stride(reader);
	err = mapread_all(reader, on_entries, &r, e);
	mapread_free(reader);
	return err;
}
