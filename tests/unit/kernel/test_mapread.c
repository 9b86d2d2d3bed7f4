// SPDX-License-Identifier: MIT
#include "kernel/mapread.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "kernel/testbed.h"

enum {
	ENTRIES = 10000,
	STABLE = 2000, /* keys 0 … that stay while others come and go */
	READS = 200,
};

struct kind {
	const char *name;
	enum bpf_map_type type;
	uint32_t flags;
	bool per_cpu;
	bool is_array;
};

static const struct kind kinds[] = {
	{"array", BPF_MAP_TYPE_ARRAY, 0, false, true},
	{"percpu_array", BPF_MAP_TYPE_PERCPU_ARRAY, 0, true, true},
	{"hash", BPF_MAP_TYPE_HASH, 0, false, false},
	{"hash_no_prealloc", BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, false, false},
	{"percpu_hash", BPF_MAP_TYPE_PERCPU_HASH, 0, true, false},
	{"lru_hash", BPF_MAP_TYPE_LRU_HASH, 0, false, false},
	{"lru_percpu", BPF_MAP_TYPE_LRU_PERCPU_HASH, 0, true, false},
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

static uint32_t number_of(const struct map_info *map, const uint8_t *key)
{
	struct key k = {};

	memcpy(&k, key, map->key_size);
	return map->type == BPF_MAP_TYPE_LPM_TRIE ? ntohl(k.words[1]) : k.words[0];
}

static struct map_info make_map(const struct kind *kind, uint32_t value_size, uint32_t max_entries)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = kind->flags);
	uint32_t key_size = kind->type == BPF_MAP_TYPE_LPM_TRIE ? 8 : 4;
	int fd =
		bpf_map_create(kind->type, kind->name, key_size, value_size, max_entries, &options);

	if (fd < 0)
		fail_msg("%s: %s", kind->name, strerror(-fd));
	return (struct map_info){.name = kind->name,
				 .fd = fd,
				 .type = kind->type,
				 .key_size = key_size,
				 .value_size = value_size,
				 .max_entries = max_entries,
				 .per_cpu = kind->per_cpu};
}

/* The value of entry n is n + 1, for CPU c with c << 32 added. */
static int put(const struct map_info *map, uint32_t number)
{
	struct key key = key_of(map, number);
	size_t cpus = map->per_cpu ? (size_t)libbpf_num_possible_cpus() : 1;
	size_t size = ROUND_UP((size_t)map->value_size, 8);
	_cleanup_free_ uint8_t *value = calloc(cpus, size);

	for (size_t cpu = 0; cpu < cpus; cpu++) {
		uint64_t n = (uint64_t)cpu << 32 | (number + 1);

		memcpy(value + cpu * size, &n, MIN(sizeof(n), map->value_size));
	}
	return bpf_map_update_elem(map->fd, &key, value, BPF_ANY);
}

static struct mapread *reader_of(const struct map_info *map)
{
	struct mapread *m = NULL;
	struct error e = {};

	if (mapread_new(map, &m, &e) < 0)
		fail_msg("%s", e.text);
	return m;
}

/* How often each number came; and that each one's value was its own. */
struct census {
	const struct map_info *map;
	const struct mapread *reader;
	uint8_t times[ENTRIES * 2];
	size_t count;
};

static int count_entries(void *ctx, const uint8_t *keys, const uint8_t *values, size_t count)
{
	struct census *c = ctx;
	size_t stride = mapread_value_stride(c->reader);

	for (size_t i = 0; i < count; i++) {
		uint32_t number = number_of(c->map, keys + i * c->map->key_size);
		size_t n_values = mapread_values_per_entry(c->reader);

		assert_true(number < ARRAY_SIZE(c->times));
		c->times[number]++;
		for (size_t cpu = 0; cpu < n_values; cpu++) {
			uint64_t n;

			memcpy(&n, values + i * stride + cpu * (stride / n_values), sizeof(n));
			assert_int_equal(n, (uint64_t)cpu << 32 | (number + 1));
		}
	}
	c->count += count;
	return 0;
}

static int try_to_read(struct mapread *m, struct census *c, struct error *e)
{
	memset(c->times, 0, sizeof(c->times));
	c->count = 0;
	return mapread_all(m, count_entries, c, e);
}

static void read_all(struct mapread *m, struct census *c)
{
	struct error e = {};

	if (try_to_read(m, c, &e) < 0)
		fail_msg("%s", e.text);
}

static void check_kind(const struct kind *kind)
{
	struct map_info map = make_map(kind, 8, ENTRIES);
	struct mapread *m = reader_of(&map);
	static struct census c;
	size_t in_use;

	c = (struct census){.map = &map, .reader = m};
	if (!kind->is_array)
		read_all(m, &c);
	assert_int_equal(c.count, 0);
	for (uint32_t i = 0; i < ENTRIES; i++)
		assert_int_equal(put(&map, i), 0);
	read_all(m, &c);
	/* An LRU map has fewer, when its free lists run out early. */
	if (kind->type == BPF_MAP_TYPE_LRU_HASH || kind->type == BPF_MAP_TYPE_LRU_PERCPU_HASH)
		assert_in_range(c.count, ENTRIES / 2, ENTRIES);
	else
		assert_int_equal(c.count, ENTRIES);
	for (uint32_t i = 0; i < ENTRIES; i++)
		assert_in_range(c.times[i], 0, 1);

	in_use = mallinfo2().uordblks;
	read_all(m, &c);
	assert_int_equal(mallinfo2().uordblks, in_use);
	mapread_free(m);
	close(map.fd);
}

static void test_all_kinds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		check_kind(&kinds[i]);
}

/* What is removed says what it was, for each CPU. */
static void check_remove(struct mapread *m, const struct map_info *map, uint32_t number)
{
	size_t n_values = mapread_values_per_entry(m), stride = mapread_value_stride(m);
	_cleanup_free_ uint8_t *values = calloc(1, stride);
	struct key key = key_of(map, number);

	assert_int_equal(mapread_remove(m, &key, values), 0);
	for (size_t cpu = 0; cpu < n_values; cpu++) {
		uint64_t n;

		memcpy(&n, values + cpu * (stride / n_values), sizeof(n));
		assert_int_equal(n, (uint64_t)cpu << 32 | (number + 1));
	}
	assert_int_equal(mapread_remove(m, &key, values), -ENOENT);
	assert_int_equal(mapread_remove(m, &key, NULL), -ENOENT);
}

static void test_remove(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct map_info map = make_map(&kinds[i], 8, 10);
		struct mapread *m = reader_of(&map);
		static struct census c;
		struct key key = key_of(&map, 3);

		c = (struct census){.map = &map, .reader = m};
		for (uint32_t n = 0; n < 5; n++)
			assert_int_equal(put(&map, n), 0);
		assert_int_equal(mapread_remove(m, &key, NULL), kinds[i].is_array ? -EINVAL : 0);
		if (!kinds[i].is_array) {
			check_remove(m, &map, 1);
			read_all(m, &c);
			assert_int_equal(c.count, 3);
			assert_int_equal(c.times[3], 0);
			assert_int_equal(c.times[1], 0);
		}
		mapread_free(m);
		close(map.fd);
	}
}

/* Values so large that one entry fills the chunk: buckets with more than one do not fit. */
static void test_bucket_larger_than_the_chunk(void **state)
{
	const struct kind kind = {"huge", BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC};
	struct map_info map = make_map(&kind, 700000, 64);
	struct mapread *m = reader_of(&map);
	static struct census c;

	(void)state;
	c = (struct census){.map = &map, .reader = m};
	for (uint32_t i = 0; i < 64; i++)
		assert_int_equal(put(&map, i), 0);
	read_all(m, &c);
	assert_int_equal(c.count, 64);
	for (uint32_t i = 0; i < 64; i++)
		assert_int_equal(c.times[i], 1);
	mapread_free(m);
	close(map.fd);
}

struct churn {
	const struct map_info *map;
	_Atomic bool stop;
	_Atomic unsigned long rounds;
};

static void *churn(void *ctx)
{
	struct churn *c = ctx;

	while (!atomic_load(&c->stop)) {
		for (uint32_t i = STABLE; i < STABLE + 1000; i++)
			(void)put(c->map, i);
		for (uint32_t i = STABLE; i < STABLE + 1000; i++) {
			struct key key = key_of(c->map, i);

			(void)bpf_map_delete_elem(c->map->fd, &key);
		}
		atomic_fetch_add(&c->rounds, 1);
	}
	return NULL;
}

static void check_churn(const struct kind *kind)
{
	struct map_info map = make_map(kind, 8, ENTRIES);
	struct mapread *m = reader_of(&map);
	struct churn churning = {.map = &map};
	static struct census c;
	pthread_t thread;

	c = (struct census){.map = &map, .reader = m};
	for (uint32_t i = 0; i < STABLE; i++)
		assert_int_equal(put(&map, i), 0);
	assert_int_equal(pthread_create(&thread, NULL, churn, &churning), 0);
	for (unsigned i = 0; i < READS; i++) {
		struct error e = {};
		int r = try_to_read(m, &c, &e);

		/* A trie on a kernel without batches for it may be too slow for so much change, and
		 * then says so. No key comes twice even so. */
		if (r < 0 && (r != -EBUSY || kind->type != BPF_MAP_TYPE_LPM_TRIE))
			fail_msg("%s", e.text);
		for (uint32_t n = 0; n < STABLE; n++)
			assert_in_range(c.times[n], r == 0 ? 1 : 0, 1);
	}
	while (atomic_load(&churning.rounds) == 0)
		sched_yield();
	atomic_store(&churning.stop, true);
	pthread_join(thread, NULL);
	read_all(m, &c);
	assert_int_equal(c.count, STABLE);
	mapread_free(m);
	close(map.fd);
}

static void test_churn(void **state)
{
	const struct kind churned[] = {
		{"hash", BPF_MAP_TYPE_HASH},
		{"hash_no_prealloc", BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC},
		{"percpu_hash", BPF_MAP_TYPE_PERCPU_HASH, 0, true},
		{"lpm_trie", BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(churned); i++)
		check_churn(&churned[i]);
}

/* A type that has no batches on any kernel so far, and whose values name an interface. */
static const struct kind unbatched = {"devmap_hash", BPF_MAP_TYPE_DEVMAP_HASH};

static int count_unbatched(void *ctx, const uint8_t *keys, const uint8_t *values, size_t count)
{
	struct census *c = ctx;

	for (size_t i = 0; i < count; i++) {
		uint32_t ifindex;

		memcpy(&ifindex, values + i * sizeof(ifindex), sizeof(ifindex));
		assert_int_equal(ifindex, 1);
		c->times[number_of(c->map, keys + i * c->map->key_size)]++;
	}
	c->count += count;
	return 0;
}

static void put_lo(const struct map_info *map, uint32_t key)
{
	uint32_t lo = 1;

	assert_int_equal(bpf_map_update_elem(map->fd, &key, &lo, BPF_ANY), 0);
}

static void test_without_batches(void **state)
{
	struct map_info map = make_map(&unbatched, 4, 64);
	struct mapread *m = reader_of(&map);
	static struct census c;

	(void)state;
	for (uint32_t i = 0; i < 64; i++)
		put_lo(&map, i);
	for (unsigned read = 0; read < 2; read++) {
		c = (struct census){.map = &map, .reader = m};
		assert_int_equal(mapread_all(m, count_unbatched, &c, NULL), 0);
		assert_int_equal(c.count, 64);
		for (uint32_t i = 0; i < 64; i++)
			assert_int_equal(c.times[i], 1);
	}
	mapread_free(m);
	close(map.fd);
}

struct deleting {
	struct census census;
	uint32_t next;
};

/* At the end of each chunk the key goes from which the reader would go on, and that is not 0. */
static int delete_last(void *ctx, const uint8_t *keys, const uint8_t *values, size_t count)
{
	struct deleting *d = ctx;
	const struct map_info *map = d->census.map;
	const uint8_t *last = keys + (count - 1) * map->key_size;

	count_unbatched(&d->census, keys, values, count);
	if (number_of(map, last) != 0)
		assert_int_equal(bpf_map_delete_elem(map->fd, last), 0);
	d->next++;
	return 0;
}

/* The reader begins anew where its key is gone, and gives nothing twice. */
static void test_without_batches_beside_deletes(void **state)
{
	struct map_info map = make_map(&unbatched, 4, ENTRIES);
	struct mapread *m = reader_of(&map);
	static struct deleting d;

	(void)state;
	d = (struct deleting){.census = {.map = &map, .reader = m}};
	for (uint32_t i = 0; i < ENTRIES; i++)
		put_lo(&map, i);
	assert_int_equal(mapread_all(m, delete_last, &d, NULL), 0);
	assert_true(d.next > 1);
	assert_int_equal(d.census.count, ENTRIES);
	for (uint32_t i = 0; i < ENTRIES; i++)
		assert_int_equal(d.census.times[i], 1);
	mapread_free(m);
	close(map.fd);
}

/* Where each chunk's last key goes and others come, there is no end, and the reader gives up. */
static int delete_all_and_add(void *ctx, const uint8_t *keys, const uint8_t *values, size_t count)
{
	struct deleting *d = ctx;
	const struct map_info *map = d->census.map;

	(void)values;
	for (size_t i = 0; i < count; i++)
		assert_int_equal(bpf_map_delete_elem(map->fd, keys + i * map->key_size), 0);
	for (size_t i = 0; i < count; i++)
		put_lo(map, d->next++);
	return 0;
}

static void test_without_batches_for_ever(void **state)
{
	struct map_info map = make_map(&unbatched, 4, 64);
	struct mapread *m = reader_of(&map);
	static struct deleting d;
	struct error e = {};

	(void)state;
	d = (struct deleting){.census = {.map = &map}, .next = 1000};
	for (uint32_t i = 0; i < 64; i++)
		put_lo(&map, i);
	assert_int_equal(mapread_all(m, delete_all_and_add, &d, &e), -EBUSY);
	assert_non_null(strstr(e.text, "faster"));
	mapread_free(m);
	close(map.fd);
}

static int refuse(void *ctx, const uint8_t *keys, const uint8_t *values, size_t count)
{
	(void)keys;
	(void)values;
	(void)count;
	(*(unsigned *)ctx)++;
	return -EINVAL;
}

/* Also where the errno is one that the kernel uses for "no batches". */
static void test_reader_ends_the_read(void **state)
{
	struct map_info map = make_map(&kinds[2], 8, ENTRIES);
	struct mapread *m = reader_of(&map);
	struct error e = {};
	unsigned calls = 0;

	(void)state;
	for (uint32_t i = 0; i < ENTRIES; i++)
		assert_int_equal(put(&map, i), 0);
	assert_int_equal(mapread_all(m, refuse, &calls, &e), -EINVAL);
	assert_int_equal(calls, 1);
	assert_non_null(strstr(e.text, "hash"));
	mapread_free(m);
	close(map.fd);
}

static void test_maps_without_entries(void **state)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, 4096, NULL);
	struct map_info map = {.name = "ring", .fd = fd, .type = BPF_MAP_TYPE_RINGBUF};
	struct mapread *m = NULL;
	struct error e = {};

	(void)state;
	assert_int_equal(mapread_new(&map, &m, &e), -EINVAL);
	assert_int_equal(e.exit, EXIT_USAGE);
	close(fd);
}

static void test_map_that_is_gone(void **state)
{
	struct map_info map = make_map(&kinds[2], 8, 10);
	struct mapread *m = reader_of(&map);
	struct error e = {};
	unsigned calls = 0;

	(void)state;
	close(map.fd);
	assert_int_equal(mapread_all(m, refuse, &calls, &e), -EBADF);
	assert_string_not_equal(e.text, "");
	mapread_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_kinds),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_bucket_larger_than_the_chunk),
		cmocka_unit_test(test_churn),
		cmocka_unit_test(test_without_batches),
		cmocka_unit_test(test_without_batches_beside_deletes),
		cmocka_unit_test(test_without_batches_for_ever),
		cmocka_unit_test(test_reader_ends_the_read),
		cmocka_unit_test(test_maps_without_entries),
		cmocka_unit_test(test_map_that_is_gone),
	};

	return cmocka_run_group_tests(tests, testbed_enter, NULL);
}
