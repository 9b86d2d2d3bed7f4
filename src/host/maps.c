// SPDX-License-Identifier: MIT
/* Kinds of maps: each is made, written, read, and read in a batch as a scrape does. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "host/ability.h"
#include "kernel/libbpf_log.h"

enum { KEY_SIZE = 8, VALUE_SIZE = 8, ENTRIES = 4 };

/* All that is read of a map, per CPU or not; the kernel's own key of where it goes on. */
struct room {
	void *values;
	uint8_t keys[ENTRIES * KEY_SIZE];
	uint8_t next[KEY_SIZE];
};

static int make(uint32_t type)
{
	LIBBPF_OPTS(bpf_map_create_opts, options,
		    .map_flags = type == BPF_MAP_TYPE_LPM_TRIE ? BPF_F_NO_PREALLOC : 0);
	bool is_array = type == BPF_MAP_TYPE_ARRAY || type == BPF_MAP_TYPE_PERCPU_ARRAY;

	return bpf_map_create((enum bpf_map_type)type, NULL, is_array ? sizeof(uint32_t) : KEY_SIZE,
			      VALUE_SIZE, ENTRIES, &options);
}

static int use(int map, struct room *room)
{
	int err = bpf_map_update_elem(map, room->keys, room->values, BPF_ANY);

	return err ? err : bpf_map_lookup_elem(map, room->keys, room->values);
}

/* ENOENT: that was all there is. */
static bool reads_batches(int map, struct room *room)
{
	uint32_t count = ENTRIES;
	int err =
		bpf_map_lookup_batch(map, NULL, room->next, room->keys, room->values, &count, NULL);

	return err == 0 || err == -ENOENT;
}

/* Of those that a scrape reads. */
static int try_entries(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	_cleanup_libbpf_log_ struct libbpf_log log;
	_cleanup_close_ int map = -1;
	_cleanup_free_ void *values = NULL;
	struct room room = {0};
	int err;

	(void)env;
	libbpf_log_begin(&log);
	map = make(a->map_type);
	if (map < 0)
		return map;
	values = calloc((size_t)MAX(libbpf_num_possible_cpus(), 1) * ENTRIES, VALUE_SIZE);
	if (!values)
		return -ENOMEM;
	room.values = values;
	err = use(map, &room);
	if (err)
		return err;
	if (!reads_batches(map, &room))
		finding_set(f, FINDING_DEGRADED,
			    "%s: this kernel does not give them in batches, so a scrape reads one "
			    "by one, at a system call each",
			    a->purpose);
	return 0;
}

/* Of those that take no entries, or not from here. libbpf knows how each is made. */
static int try_making(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	_cleanup_libbpf_log_ struct libbpf_log log;
	int made, any;

	(void)env, (void)f;
	libbpf_log_begin(&log);
	made = libbpf_probe_bpf_map_type((enum bpf_map_type)a->map_type, NULL);
	if (made > 0)
		return 0;
	any = make(BPF_MAP_TYPE_ARRAY); /* of the rest it only says that it did not work */
	if (any < 0)
		return any;
	close(any);
	return -EOPNOTSUPP;
}

#define MAP(type, name_, purpose_, attempt_)                                                       \
	{                                                                                          \
		.id = "map." name_, .name = name_, .purpose = purpose_, .family = "maps",          \
		.map_type = BPF_MAP_TYPE_##type, .capabilities = "bpf", .attempt = (attempt_)      \
	}

static const struct ability rows[] = {
	MAP(HASH, "hash", "entries by key", try_entries),
	MAP(PERCPU_HASH, "percpu_hash", "entries by key, for each CPU", try_entries),
	MAP(LRU_HASH, "lru_hash", "entries by key, old ones make room", try_entries),
	MAP(LRU_PERCPU_HASH, "lru_percpu_hash", "the same for each CPU", try_entries),
	MAP(ARRAY, "array", "entries by number", try_entries),
	MAP(PERCPU_ARRAY, "percpu_array", "entries by number, for each CPU", try_entries),
	MAP(LPM_TRIE, "lpm_trie", "entries by network", try_entries),
	MAP(RINGBUF, "ringbuf", "records as they come", try_making),
	MAP(PERF_EVENT_ARRAY, "perf_event_array", "events as they come", try_making),
	MAP(STACK_TRACE, "stack_trace", "stacks of functions", try_making),
	MAP(ARRAY_OF_MAPS, "array_of_maps", "maps by number", try_making),
	MAP(HASH_OF_MAPS, "hash_of_maps", "maps by key", try_making),
	MAP(SK_STORAGE, "sk_storage", "what is kept with a socket", try_making),
	MAP(CGROUP_STORAGE, "cgroup_storage", "what is kept with a cgroup and a program",
	    try_making),
};

ABILITIES(maps, FINDING_KERNEL, 120, rows);
