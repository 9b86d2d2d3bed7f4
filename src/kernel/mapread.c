// SPDX-License-Identifier: MIT
#include "kernel/mapread.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/capabilities.h"
#include "base/cleanup.h"
#include "base/macro.h"
#include "base/table.h"
#include "kernel/compat.h"

enum {
	CHUNK_ENTRIES = 4096,
	CHUNK_BYTES = 1 << 20,
	MIN_TOKEN = 8, /* where a batch goes on: a bucket number at least */
	INTERRUPTED_TRIES = 16,
};

struct mapread {
	struct feed feed;    /* first: the feed is the reader */
	struct map_info map; /* the map itself, with rows or without */
	size_t stride;       /* from one value of it to the next */
	uint32_t rows;       /* in a value of it; 0: the entry is one */
	uint32_t rows_offset;
	uint8_t *row_keys; /* of a chunk: room for row_cap of them */
	uint8_t *row_values;
	size_t row_cap;
	bool batches; /* until the kernel says that it cannot */
	bool takes;   /* likewise: that it can look up and delete in one step */
	uint32_t cap; /* entries that fit the buffers */
	uint8_t *keys;
	uint8_t *values;
	uint8_t *token;    /* where a batch goes on: a bucket number, or the last key */
	uint64_t steps;    /* entries that this read may still take */
	struct table seen; /* keys of this read, where one may come twice */
	uint32_t at;       /* the one in it from which the next is asked for */
	uint32_t back;     /* how far to go back from there if it was deleted */
};

/*
 * Types whose batches have each key once: array indices never go away, and of a hash map each
 * bucket is taken whole, under its lock. All else finds its way by the last key, and begins anew
 * where that was deleted meanwhile.
 */
static bool has_steady_batches(uint32_t type)
{
	const uint64_t arrays = 1ULL << BPF_MAP_TYPE_ARRAY | 1ULL << BPF_MAP_TYPE_PERCPU_ARRAY |
				1ULL << BPF_MAP_TYPE_ARRAY_OF_MAPS;
	const uint64_t hashes = 1ULL << BPF_MAP_TYPE_HASH | 1ULL << BPF_MAP_TYPE_PERCPU_HASH |
				1ULL << BPF_MAP_TYPE_LRU_HASH |
				1ULL << BPF_MAP_TYPE_LRU_PERCPU_HASH |
				1ULL << BPF_MAP_TYPE_HASH_OF_MAPS;

	return type < 64 && (arrays | hashes) >> type & 1;
}

/* Room for @cap entries; what was read before is lost. */
static int resize(struct mapread *m, uint32_t cap)
{
	free(m->keys);
	free(m->values);
	m->cap = 0;
	m->keys = calloc(cap, m->map.key_size);
	m->values = calloc(cap, m->stride);
	if (!m->keys || !m->values)
		return -ENOMEM;
	m->cap = cap;
	return 0;
}

static uint32_t first_cap(const struct mapread *m)
{
	size_t fit = CHUNK_BYTES / (m->map.key_size + m->stride);
	size_t most = MIN((size_t)CHUNK_ENTRIES, (size_t)m->map.max_entries);

	return (uint32_t)MAX(MIN(fit, most), (size_t)1);
}

DEFINE_CLEANUP(struct mapread *, mapread_free)

static int set_up_rows(struct mapread *m)
{
	m->row_cap = MAX((size_t)CHUNK_ENTRIES, (size_t)m->rows);
	m->row_keys = calloc(m->row_cap, m->feed.key_size);
	m->row_values = calloc(m->row_cap, m->feed.stride);
	return m->row_keys && m->row_values ? 0 : -ENOMEM;
}

static int set_up(struct mapread *m)
{
	int cpus = m->map.per_cpu ? libbpf_num_possible_cpus() : 1;

	if (cpus < 0)
		return cpus;
	m->feed.values_per_entry = (size_t)cpus;
	m->stride = m->map.per_cpu ? ROUND_UP((size_t)m->map.value_size, 8) * (size_t)cpus
				   : m->map.value_size;
	if (!m->rows)
		m->feed.stride = m->stride;
	else if (set_up_rows(m))
		return -ENOMEM;
	m->batches = true;
	m->takes = true;
	m->token = calloc(1, MAX((size_t)m->map.key_size, (size_t)MIN_TOKEN));
	if (!m->token)
		return -ENOMEM;
	table_init(&m->seen, m->map.key_size);
	return resize(m, first_cap(m));
}

static const struct feed_ops mapread_ops;

/* What is told of rows is what the reader's readers see; the map itself is read. */
static void look_behind_rows(struct mapread *m)
{
	const struct map_rows rows = m->map.rows;

	m->rows = rows.count;
	m->rows_offset = rows.offset;
	m->feed.stride = m->map.value_size;
	m->map.key_size = rows.map_key_size;
	m->map.value_size = rows.map_value_size;
	m->map.max_entries = rows.map_max_entries;
}

int mapread_new(const struct map_info *map, struct mapread **ret, struct error *e)
{
	_cleanup_(mapread_free_p) struct mapread *m = NULL;
	int r;

	if (map->key_size == 0 || map->value_size == 0)
		return error_set_usage(e, "map \"%s\" has no keys and values that could be read",
				       map->name);
	m = calloc(1, sizeof(*m));
	if (!m)
		return error_set(e, -ENOMEM, "cannot read map \"%s\": out of memory", map->name);
	m->map = *map;
	m->feed.ops = &mapread_ops;
	m->feed.key_size = map->key_size;
	if (map->rows.count)
		look_behind_rows(m);
	r = set_up(m);
	if (r < 0)
		return error_set(e, r, "cannot set up reading map \"%s\": %s", map->name,
				 error_words(r));
	*ret = TAKE_PTR(m);
	return 0;
}

void mapread_free(struct mapread *m)
{
	if (!m)
		return;
	free(m->keys);
	free(m->values);
	free(m->row_keys);
	free(m->row_values);
	free(m->token);
	table_free(&m->seen);
	free(m);
}

size_t mapread_value_stride(const struct mapread *m)
{
	return m->feed.stride;
}

size_t mapread_values_per_entry(const struct mapread *m)
{
	return m->feed.values_per_entry;
}

/* Moves the entries whose key did not come before to the front; gives back how many, or -ENOMEM. */
static int64_t drop_seen(struct mapread *m, uint32_t count)
{
	uint32_t kept = 0;
	bool added;

	for (uint32_t i = 0; i < count; i++) {
		uint8_t *key = m->keys + (size_t)i * m->map.key_size;

		if (table_add(&m->seen, key, &added) == TABLE_NONE)
			return -ENOMEM;
		if (!added)
			continue;
		if (kept != i) {
			memcpy(m->keys + (size_t)kept * m->map.key_size, key, m->map.key_size);
			memcpy(m->values + (size_t)kept * m->stride,
			       m->values + (size_t)i * m->stride, m->stride);
		}
		kept++;
	}
	return kept;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i])
			return false;
	}
	return true;
}

/* Appends the rows of @value that are none of zeros; how many there are now. */
static size_t gather_rows(struct mapread *m, const uint8_t *value, size_t count)
{
	size_t key_size = m->feed.key_size;

	for (uint32_t i = 0; i < m->rows; i++) {
		const uint8_t *row = value + m->rows_offset + i * m->feed.stride;

		if (is_zero(row, key_size))
			continue;
		memcpy(m->row_keys + count * key_size, row, key_size);
		memcpy(m->row_values + count * m->feed.stride, row, m->feed.stride);
		count++;
	}
	return count;
}

static int deliver_rows(struct mapread *m, size_t count, feed_fn fn, void *ctx)
{
	size_t rows = 0;
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		rows = gather_rows(m, m->values + i * m->stride, rows);
		if (i + 1 < count && rows + m->rows <= m->row_cap)
			continue;
		if (rows > 0)
			r = fn(ctx, m->row_keys, m->row_values, rows);
		rows = 0;
	}
	return r;
}

/* The first @count entries in the buffers. */
static int deliver(struct mapread *m, size_t count, feed_fn fn, void *ctx)
{
	if (m->rows)
		return deliver_rows(m, count, fn, ctx);
	return fn(ctx, m->keys, m->values, count);
}

static int deliver_batch(struct mapread *m, uint32_t count, feed_fn fn, void *ctx)
{
	int64_t kept = count;

	if (!has_steady_batches(m->map.type))
		kept = drop_seen(m, count);
	if (kept <= 0)
		return (int)kept;
	return deliver(m, (size_t)kept, fn, ctx);
}

/* A bucket that does not fit: twice the room. An LRU map may hold a few more than max_entries. */
static int grow(struct mapread *m)
{
	if (m->cap / 2 >= m->map.max_entries)
		return -ENOSPC;
	return resize(m, (uint32_t)MIN((uint64_t)m->cap * 2, (uint64_t)UINT32_MAX));
}

/* Where keys come and go, a read may have to begin anew now and then, but not for ever. */
static void begin_read(struct mapread *m)
{
	bool steady = m->batches && has_steady_batches(m->map.type);

	m->steps = steady ? UINT64_MAX : (uint64_t)m->map.max_entries * 2;
	m->at = TABLE_NONE;
	m->back = 1;
	table_clear(&m->seen);
}

/* A command of bpf(2) that the kernel does not have, or not for this type of map. */
static bool is_not_supported(int r)
{
	return r == -EINVAL || r == -EOPNOTSUPP || r == -COMPAT_ENOTSUPP;
}

/*
 * One batch and what it has into @fn. 1: there is more; 0: that was the end, or there are no
 * batches. The kernel's errors: ENOENT is the end, with the last entries; ENOSPC a bucket larger
 * than the room (hash maps); EINTR a key that was deleted in the middle (others), with the entries
 * before it.
 */
static int read_batch(struct mapread *m, bool first, feed_fn fn, void *ctx)
{
	uint32_t count;
	int r, delivered;

	do {
		count = m->cap;
		r = bpf_map_lookup_batch(m->map.fd, first ? NULL : m->token, m->token, m->keys,
					 m->values, &count, NULL);
	} while (r == -ENOSPC && (r = grow(m)) == 0);
	if (first && is_not_supported(r)) {
		m->batches = false;
		return 0;
	}
	if (r < 0 && r != -ENOENT && r != -EINTR)
		return r;
	if (r == -EINTR && count == 0)
		return -EINTR;
	if (count > m->steps)
		return -EBUSY;
	m->steps -= count;
	delivered = deliver_batch(m, count, fn, ctx);
	return delivered < 0 ? delivered : r != -ENOENT;
}

static int read_batches(struct mapread *m, feed_fn fn, void *ctx)
{
	unsigned interrupted = 0;
	bool first = true;
	int r;

	begin_read(m);
	do {
		r = read_batch(m, first, fn, ctx);
		if (r > 0) {
			first = false;
			interrupted = 0;
		}
	} while (r > 0 || (r == -EINTR && ++interrupted < INTERRUPTED_TRIES));
	return r;
}

/*
 * The next key that this read has not had, into @key; -ENOENT at the end. The kernel gives the
 * key behind the one it is told, or the map's first one when that was deleted meanwhile. A known
 * key that is not behind where we are means the latter: then one that came earlier, and may still
 * be there, shows the way, so that not all of them need be passed again.
 */
static int next_key(struct mapread *m, uint8_t *key)
{
	for (;;) {
		const void *from = m->at == TABLE_NONE ? NULL : table_key(&m->seen, m->at);
		int r = bpf_map_get_next_key(m->map.fd, from, key);
		uint32_t index;

		if (r < 0)
			return r;
		if (m->steps-- == 0)
			return -EBUSY;
		index = table_find(&m->seen, key);
		if (index == TABLE_NONE)
			return 0;
		if (!from || index > m->at) {
			m->at = index;
			m->back = 1;
		} else {
			m->at = m->at >= m->back ? m->at - m->back : TABLE_NONE;
			m->back *= 2;
		}
	}
}

/* Fills the buffers. 0, or -ENOENT at the end. */
static int read_chunk(struct mapread *m, uint32_t *ret_count)
{
	uint32_t count = 0;
	bool added;
	int r = 0;

	while (r == 0 && count < m->cap) {
		uint8_t *key = m->keys + (size_t)count * m->map.key_size;

		r = next_key(m, key);
		if (r < 0)
			break;
		r = bpf_map_lookup_elem(m->map.fd, key, m->values + (size_t)count * m->stride);
		if (r == -ENOENT) {
			r = 0; /* deleted just now, and so no key to go on from */
			continue;
		}
		if (r == 0) {
			m->at = table_add(&m->seen, key, &added);
			m->back = 1;
			r = added ? 0 : -ENOMEM;
		}
		count += r == 0;
	}
	*ret_count = count;
	return r;
}

static int read_one_by_one(struct mapread *m, feed_fn fn, void *ctx)
{
	uint32_t count;
	int r, delivered = 0;

	begin_read(m);
	do {
		r = read_chunk(m, &count);
		if (count > 0)
			delivered = deliver(m, count, fn, ctx);
	} while (r == 0 && delivered == 0);
	if (delivered < 0)
		return delivered;
	return r == -ENOENT ? 0 : r;
}

int mapread_all(struct mapread *m, feed_fn fn, void *ctx, struct error *e)
{
	/* Without room when a bucket grew and there was no memory for it. */
	int r = m->cap ? 0 : resize(m, first_cap(m));

	if (r == 0 && m->batches)
		r = read_batches(m, fn, ctx);
	if (r == 0 && !m->batches)
		r = read_one_by_one(m, fn, ctx);
	if (r == -EBUSY)
		return error_set(e, r,
				 "cannot read map \"%s\": its entries come and go faster than "
				 "they can be read one by one",
				 m->map.name);
	if (r == -COMPAT_ENOTSUPP)
		return error_set(e, -EOPNOTSUPP,
				 "cannot read map \"%s\": the kernel cannot list the "
				 "entries of a map of this type (%u)",
				 m->map.name, m->map.type);
	if (r < 0)
		return error_set(e, r, "cannot read map \"%s\": %s", m->map.name, error_words(r));
	return 0;
}

int mapread_remove(struct mapread *m, const void *key, void *ret_values)
{
	int r;

	if (m->rows)
		return -EINVAL;
	if (ret_values && m->takes) {
		r = bpf_map_lookup_and_delete_elem(m->map.fd, key, ret_values);
		if (!is_not_supported(r))
			return r;
		m->takes = false;
	}
	r = ret_values ? bpf_map_lookup_elem(m->map.fd, key, ret_values) : 0;
	return r ? r : bpf_map_delete_elem(m->map.fd, key);
}

static int look_up_nowhere(void)
{
	__u64 key = 0, value;

	return bpf_map_lookup_elem(-1, &key, &value) ? -errno : 0;
}

bool mapread_needs_capability(void)
{
	return capabilities_are_needed(look_up_nowhere);
}

struct feed *mapread_feed(struct mapread *m)
{
	return &m->feed;
}

static struct mapread *mapread_of(struct feed *f)
{
	return CONTAINER_OF(f, struct mapread, feed);
}

static int feed_read_map(struct feed *f, feed_fn fn, void *ctx, struct error *e)
{
	return mapread_all(mapread_of(f), fn, ctx, e);
}

static int feed_remove_from_map(struct feed *f, const void *key, void *ret_values)
{
	return mapread_remove(mapread_of(f), key, ret_values);
}

static void feed_free_map(struct feed *f)
{
	mapread_free(mapread_of(f));
}

static const struct feed_ops mapread_ops = {
	.read = feed_read_map,
	.remove = feed_remove_from_map,
	.free = feed_free_map,
};
