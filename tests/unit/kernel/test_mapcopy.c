// SPDX-License-Identifier: MIT
#include "kernel/mapcopy.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "kernel/testbed.h"

enum { ENTRIES = 100 };

static const struct kind {
	const char *name;
	enum bpf_map_type type;
	uint32_t flags;
	bool per_cpu;
	bool is_array;
} kinds[] = {
	{"array", BPF_MAP_TYPE_ARRAY, 0, false, true},
	{"percpu_array", BPF_MAP_TYPE_PERCPU_ARRAY, 0, true, true},
	{"hash", BPF_MAP_TYPE_HASH, 0, false, false},
	{"no_prealloc", BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, false, false},
	{"percpu_hash", BPF_MAP_TYPE_PERCPU_HASH, 0, true, false},
	{"lpm_trie", BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, false, false},
};

/* An LPM trie's key is a prefix length and then what it counts in; the others' the number only. */
struct key {
	uint32_t words[2];
};

static struct key key_of(const struct map_info *map, uint32_t number)
{
	if (map->type == BPF_MAP_TYPE_LPM_TRIE)
		return (struct key){{32, htonl(number)}};
	return (struct key){{number}};
}

static struct map_info make(const struct kind *kind, uint32_t max_entries)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = kind->flags);
	uint32_t key_size = kind->type == BPF_MAP_TYPE_LPM_TRIE ? 8 : 4;
	int fd = bpf_map_create(kind->type, kind->name, key_size, 12, max_entries, &options);

	if (fd < 0)
		fail_msg("%s: %s", kind->name, strerror(-fd));
	return (struct map_info){kind->name, fd,          kind->type,   key_size,
				 12,         max_entries, kind->per_cpu};
}

/* The value of entry n on CPU c: n + 1 and c, and nothing. Each is 16 bytes apart for CPUs. */
static void fill_values(uint32_t number, size_t cpus, uint32_t *values)
{
	for (size_t cpu = 0; cpu < cpus; cpu++) {
		values[cpu * 4] = number + 1;
		values[cpu * 4 + 1] = (uint32_t)cpu;
	}
}

static size_t count_same(const struct map_info *map, size_t cpus)
{
	uint32_t *values = calloc(cpus, 16), *expected = calloc(cpus, 16);
	size_t same = 0;

	for (uint32_t i = 0; i < ENTRIES; i++) {
		struct key key = key_of(map, i);

		fill_values(i, cpus, expected);
		same += bpf_map_lookup_elem(map->fd, &key, values) == 0 &&
			memcmp(values, expected, cpus > 1 ? cpus * 16 : 12) == 0;
	}
	free(values);
	free(expected);
	return same;
}

static void copy_one(const struct kind *kind, uint32_t room)
{
	struct map_info from = make(kind, ENTRIES), to = make(kind, room);
	size_t cpus = kind->per_cpu ? (size_t)libbpf_num_possible_cpus() : 1;
	uint32_t *values = calloc(cpus, 16);
	struct mapcopy_counts counts;
	struct error error;

	for (uint32_t i = 0; i < ENTRIES; i++) {
		struct key key = key_of(&from, i);

		fill_values(i, cpus, values);
		assert_int_equal(bpf_map_update_elem(from.fd, &key, values, BPF_ANY), 0);
	}
	if (mapcopy(&from, &to, &counts, &error))
		fail_msg("%s: %s", kind->name, error.text);
	assert_int_equal(counts.copied, MIN(room, (uint32_t)ENTRIES));
	assert_int_equal(counts.lost, ENTRIES - counts.copied);
	assert_int_equal(count_same(&to, cpus), counts.copied);
	free(values);
	close(from.fd);
	close(to.fd);
}

static void test_every_kind(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		copy_one(&kinds[i], ENTRIES);
		copy_one(&kinds[i], 2 * ENTRIES);
		copy_one(&kinds[i], ENTRIES / 4);
	}
}

/* Its entries are not listed: nothing of it is there then. */
static void test_what_cannot_be_copied(void **state)
{
	struct map_info map = {"stacks", -1, BPF_MAP_TYPE_STACK_TRACE, 4, 8, 1, false};
	struct mapcopy_counts counts;
	struct error error;

	(void)state;
	assert_int_equal(mapcopy(&map, &map, &counts, &error), -EOPNOTSUPP);
}

static void test_maps_in_maps(void **state)
{
	LIBBPF_OPTS(bpf_map_create_opts, options);
	struct map_info inner = make(&kinds[0], 1);
	struct map_info from = {"outer", -1, BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 4, false}, to = from;
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info), key = 2, id;
	struct mapcopy_counts counts;
	struct error error;

	(void)state;
	options.inner_map_fd = (uint32_t)inner.fd;
	from.fd = bpf_map_create(from.type, "outer", 4, 4, 4, &options);
	to.max_entries = 8;
	to.fd = bpf_map_create(to.type, "outer", 4, 4, 8, &options);
	assert_true(from.fd >= 0 && to.fd >= 0);
	assert_int_equal(bpf_map_update_elem(from.fd, &key, &inner.fd, BPF_ANY), 0);
	if (mapcopy(&from, &to, &counts, &error))
		fail_msg("%s", error.text);
	assert_int_equal(bpf_map_lookup_elem(to.fd, &key, &id), 0);
	assert_int_equal(bpf_obj_get_info_by_fd(inner.fd, &info, &size), 0);
	assert_int_equal(id, info.id);
	close(from.fd);
	close(to.fd);
	close(inner.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind),
		cmocka_unit_test(test_what_cannot_be_copied),
		cmocka_unit_test(test_maps_in_maps),
	};

	return cmocka_run_group_tests(tests, testbed_enter, NULL);
}
