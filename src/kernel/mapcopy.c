// SPDX-License-Identifier: MIT
#include "kernel/mapcopy.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "kernel/mapread.h"
#include "kernel/mapwrite.h"

DEFINE_CLEANUP(struct mapread *, mapread_free)

struct copy {
	const struct map_info *to;
	const struct feed *from;
	struct mapcopy_counts counts;
};

static bool is_plain(uint32_t type)
{
	const uint64_t types = 1ULL << BPF_MAP_TYPE_HASH | 1ULL << BPF_MAP_TYPE_ARRAY |
			       1ULL << BPF_MAP_TYPE_PERCPU_HASH |
			       1ULL << BPF_MAP_TYPE_PERCPU_ARRAY | 1ULL << BPF_MAP_TYPE_LRU_HASH |
			       1ULL << BPF_MAP_TYPE_LRU_PERCPU_HASH | 1ULL << BPF_MAP_TYPE_LPM_TRIE;

	return type < 64 && types >> type & 1;
}

static bool is_of_maps(uint32_t type)
{
	return type == BPF_MAP_TYPE_ARRAY_OF_MAPS || type == BPF_MAP_TYPE_HASH_OF_MAPS;
}

/* A map in a map is read as its id, and written as a descriptor. One that has gone is no entry. */
static int put_map(const struct copy *c, const uint8_t *key, const uint8_t *value)
{
	_cleanup_close_ int fd = -1;
	uint32_t id;

	memcpy(&id, value, sizeof(id));
	if (!id)
		return 0;
	fd = bpf_map_get_fd_by_id(id);
	return fd < 0 ? fd : mapwrite_put(c->to->fd, key, &fd);
}

static int put(const struct copy *c, const uint8_t *key, const uint8_t *value)
{
	return is_of_maps(c->to->type) ? put_map(c, key, value)
				       : mapwrite_put(c->to->fd, key, value);
}

/* -E2BIG: a hash map is full, or an array has no such index. */
static int on_entries(void *ctx, const uint8_t *keys, const uint8_t *values, size_t count)
{
	struct copy *c = ctx;

	for (size_t i = 0; i < count; i++) {
		int err = put(c, keys + i * c->from->key_size, values + i * c->from->stride);

		if (err && err != -E2BIG && err != -ENOSPC && err != -ENOENT)
			return err;
		c->counts.copied += !err;
		c->counts.lost += err != 0;
	}
	return 0;
}

int mapcopy(const struct map_info *from, const struct map_info *to, struct mapcopy_counts *ret,
	    struct error *e)
{
	_cleanup_(mapread_free_p) struct mapread *m = NULL;
	struct copy c = {.to = to};
	int err;

	if (!is_plain(from->type) && !is_of_maps(from->type))
		return error_set(e, -EOPNOTSUPP, "maps of this type cannot be copied");
	err = mapread_new(from, &m, e);
	if (err)
		return err;
	c.from = mapread_feed(m);
	err = mapread_all(m, on_entries, &c, e);
	if (!err)
		*ret = c.counts;
	return err;
}
