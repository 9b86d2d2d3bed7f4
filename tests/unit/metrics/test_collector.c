// SPDX-License-Identifier: MIT
/* Collectors over real maps: what goes in as bytes comes out as lines. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include <cmocka.h>

#include "base/file.h"
#include "config_text.h"
#include "metrics/collector.h"
#include "metrics/exposition.h"

/* A map, the config of one metric over it, and its collector. */
struct bench {
	struct map_info map;
	struct config *config;
	struct collector *collector;
	struct buf out;
};

static void open_map(struct bench *b, enum bpf_map_type type, uint32_t key, uint32_t value)
{
	bool per_cpu = type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_ARRAY ||
		       type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
	bool array = type == BPF_MAP_TYPE_ARRAY || type == BPF_MAP_TYPE_PERCPU_ARRAY;
	uint32_t max = array ? 4 : 100000;

	*b = (struct bench){.map = {"m", -1, type, key, value, max, per_cpu}};
	b->map.fd = bpf_map_create(type, "m", key, value, max, NULL);
	assert_true(b->map.fd >= 0);
}

static void open_collector(struct bench *b, const char *metrics)
{
	static const struct decode_env nothing;
	const struct collector_env env = {.decode = &nothing, .prefix = "p"};
	struct report report = {0};

	b->config = config_from_text(metrics);
	if (collector_new(&b->config->metrics.items[0], &b->config->source, &b->map, NULL, &env,
			  &report, &b->collector))
		fail_msg("%s", buf_str(&report.text));
}

static void close_bench(struct bench *b)
{
	collector_free(b->collector);
	config_free(b->config);
	buf_free(&b->out);
	close(b->map.fd);
}

static void put(struct bench *b, const void *key, const void *value)
{
	assert_int_equal(bpf_map_update_elem(b->map.fd, key, value, BPF_ANY), 0);
}

/* One scrape; the samples of all families without the # lines. */
static const char *scrape(struct bench *b, uint64_t *errors)
{
	uint64_t ignored = 0;
	struct error error;

	if (collector_read(b->collector, errors ? errors : &ignored, &error))
		fail_msg("%s", error.text);
	buf_reset(&b->out);
	for (size_t i = 0; i < collector_family_count(b->collector); i++) {
		const struct family *f = collector_family(b->collector, i);

		f->samples(f, &exposition_text, &b->out);
	}
	return buf_str(&b->out);
}

#define COUNTER "metrics:\n  counters:\n    - name: m\n      help: h\n"
#define TWO_LABELS                                                                                 \
	COUNTER "      labels:\n"                                                                  \
		"        - {name: z, size: 1, padding: 3, decoders: [{name: uint}]}\n"             \
		"        - {name: a, size: 4, decoders: [{name: uint}]}\n"

struct two {
	uint8_t z, pad[3];
	uint32_t a;
};

static void test_labels_are_sorted_and_padding_skipped(void **state)
{
	struct two key = {.z = 7, .pad = {1, 2, 3}, .a = 9};
	uint64_t value = 1ULL << 60;
	struct bench b;

	(void)state;
	open_map(&b, BPF_MAP_TYPE_HASH, sizeof(key), 8);
	open_collector(&b, TWO_LABELS);
	put(&b, &key, &value);
	assert_string_equal(scrape(&b, NULL), "p_m{a=\"9\",z=\"7\"} 1152921504606846976\n");
	/* Garbage in the padding makes another key of the same labels: they are summed. */
	key.pad[1] = 99;
	value = 5;
	put(&b, &key, &value);
	assert_string_equal(scrape(&b, NULL), "p_m{a=\"9\",z=\"7\"} 1152921504606846981\n");
	assert_int_equal(collector_series(b.collector), 1);
	close_bench(&b);
}

static void test_a_deleted_key_is_gone(void **state)
{
	struct two one = {.z = 1}, other = {.z = 2};
	uint64_t value = 3;
	struct bench b;

	(void)state;
	open_map(&b, BPF_MAP_TYPE_HASH, sizeof(one), 8);
	open_collector(&b, TWO_LABELS);
	put(&b, &one, &value);
	put(&b, &other, &value);
	scrape(&b, NULL);
	assert_int_equal(bpf_map_delete_elem(b.map.fd, &one), 0);
	assert_string_equal(scrape(&b, NULL), "p_m{a=\"0\",z=\"2\"} 3\n");
	put(&b, &one, &value);
	assert_non_null(strstr(scrape(&b, NULL), "z=\"1\"} 3\n"));
	close_bench(&b);
}

/* Keys that come and go must leave no memory and disturb nobody. */
static void test_churn(void **state)
{
	struct two stable = {.z = 200, .a = 1};
	uint64_t value = 42;
	struct bench b;

	(void)state;
	open_map(&b, BPF_MAP_TYPE_HASH, sizeof(stable), 8);
	open_collector(&b, TWO_LABELS);
	put(&b, &stable, &value);
	for (uint32_t round = 0; round < 30; round++) {
		for (uint32_t i = 0; i < 1000; i++) {
			struct two key = {.z = 1, .a = round * 1000 + i};

			put(&b, &key, &value);
		}
		assert_non_null(strstr(scrape(&b, NULL), "p_m{a=\"1\",z=\"200\"} 42\n"));
		assert_int_equal(collector_series(b.collector), 1001);
		for (uint32_t i = 0; i < 1000; i++) {
			struct two key = {.z = 1, .a = round * 1000 + i};

			bpf_map_delete_elem(b.map.fd, &key);
		}
	}
	assert_string_equal(scrape(&b, NULL), "p_m{a=\"1\",z=\"200\"} 42\n");
	close_bench(&b);
}

#ifndef __SANITIZE_ADDRESS__ /* which ends a program that gets no memory */

/* What RLIMIT_DATA counts: proc_pid_status(5), in bytes. */
static rlim_t data_size(void)
{
	char text[4096], *at;

	assert_true(file_read_short("/proc/self/status", text, sizeof(text)) > 0);
	at = strstr(text, "VmData:");
	assert_non_null(at);
	return strtoul(at + strlen("VmData:"), NULL, 10) << 10;
}

/* A read without memory shows nothing, and what it did not get to is in a later one, wherever it
 * ended. */
static void test_lack_of_memory(void **state)
{
	enum { KEYS = 30000, STEPS = 100, STEP_BYTES = 16 << 10 };
	uint64_t value = 1, errors = 0;
	unsigned failed = 0;
	struct rlimit limit;
	struct bench b;

	(void)state;
	open_map(&b, BPF_MAP_TYPE_HASH, sizeof(struct two), 8);
	open_collector(&b, TWO_LABELS);
	for (uint32_t i = 0; i < KEYS; i++)
		put(&b, &(struct two){.a = i}, &value);
	assert_int_equal(getrlimit(RLIMIT_DATA, &limit), 0);
	for (unsigned i = 0; i < STEPS; i++) {
		struct rlimit tight = {data_size() + (rlim_t)i * STEP_BYTES, limit.rlim_max};
		struct error error;
		int err;

		assert_int_equal(setrlimit(RLIMIT_DATA, &tight), 0);
		err = collector_read(b.collector, &errors, &error);
		assert_int_equal(setrlimit(RLIMIT_DATA, &limit), 0);
		assert_true(err == 0 || err == -ENOMEM);
		assert_int_equal(collector_series(b.collector), err ? 0 : KEYS);
		failed += err != 0;
	}
	assert_true(failed > 0);
	scrape(&b, &errors);
	assert_int_equal(collector_series(b.collector), KEYS);
	assert_int_equal(errors, 0);
	close_bench(&b);
}

#endif

static void test_no_labels(void **state)
{
	uint32_t zero = 0, one = 1;
	uint64_t value = 11;
	uint64_t errors = 0;
	struct bench b;

	(void)state;
	open_map(&b, BPF_MAP_TYPE_HASH, 4, 8);
	open_collector(&b, COUNTER);
	put(&b, &zero, &value);
	assert_string_equal(scrape(&b, &errors), "p_m 11\n");
	assert_int_equal(errors, 0);
	/* As there is no label for it, it is not this metric's. */
	put(&b, &one, &value);
	assert_string_equal(scrape(&b, &errors), "p_m 11\n");
	assert_int_equal(errors, 0);
	close_bench(&b);
}

static void test_entry_that_cannot_be_decoded(void **state)
{
	uint64_t value = 1, errors = 0;
	char good[4] = "6", bad[4] = "x";
	struct bench b;

	(void)state;
	open_map(&b, BPF_MAP_TYPE_HASH, 4, 8);
	open_collector(&b, COUNTER "      labels:\n"
				   "        - {name: l, size: 4, decoders: [{name: string}, "
				   "{name: ip_proto}]}\n");
	put(&b, good, &value);
	put(&b, bad, &value);
	assert_string_equal(scrape(&b, &errors), "p_m{l=\"tcp\"} 1\n");
	assert_int_equal(errors, 1);
	scrape(&b, &errors);
	assert_int_equal(errors, 2);
	close_bench(&b);
}

static void fill_cpus(uint64_t *values, int n, uint64_t first)
{
	for (int i = 0; i < n; i++)
		values[i] = first + (uint64_t)i;
}

static void test_per_cpu_sum_and_split(void **state)
{
	int n = libbpf_num_possible_cpus();
	uint64_t values[1024], sum = 0;
	char line[64];
	uint32_t key = 5, zero = 0, one = 1;
	struct bench b;

	(void)state;
	fill_cpus(values, n, 10);
	for (int i = 0; i < n; i++)
		sum += values[i];
	open_map(&b, BPF_MAP_TYPE_PERCPU_HASH, 4, 8);
	open_collector(&b, COUNTER "      labels:\n"
				   "        - {name: l, size: 4, decoders: [{name: uint}]}\n");
	put(&b, &key, values);
	snprintf(line, sizeof(line), "p_m{l=\"5\"} %llu\n", (unsigned long long)sum);
	assert_string_equal(scrape(&b, NULL), line);
	close_bench(&b);

	open_map(&b, BPF_MAP_TYPE_PERCPU_HASH, 4, 8);
	open_collector(&b, COUNTER "      labels:\n"
				   "        - {name: l, size: 4, decoders: [{name: uint}]}\n"
				   "        - {name: cpu, size: 2, decoders: [{name: uint}]}\n");
	put(&b, &key, values);
	scrape(&b, NULL);
	assert_int_equal(collector_series(b.collector), n);
	snprintf(line, sizeof(line), "p_m{cpu=\"%d\",l=\"5\"} %d\n", n - 1, 10 + n - 1);
	assert_non_null(strstr(buf_str(&b.out), line));
	close_bench(&b);

	/* `cpu` alone: the array's index is no label, and only 0 has none. */
	open_map(&b, BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8);
	put(&b, &one, values);
	open_collector(&b, COUNTER "      labels:\n"
				   "        - {name: cpu, size: 2, decoders: [{name: uint}]}\n");
	put(&b, &zero, values);
	assert_non_null(strstr(scrape(&b, NULL), "p_m{cpu=\"0\"} 10\n"));
	close_bench(&b);
}

#define HISTOGRAM "metrics:\n  histograms:\n    - name: m\n      help: h\n"

struct bucket_key {
	uint32_t label;
	uint32_t bucket;
};

static void test_histogram_by_key(void **state)
{
	struct bucket_key keys[] = {{1, 0}, {1, 2}, {1, 3 /* the sum */}, {1, 77}};
	uint64_t values[] = {5, 6, 1000, 9};
	struct bench b;

	(void)state;
	open_map(&b, BPF_MAP_TYPE_HASH, sizeof(keys[0]), 8);
	open_collector(&b, HISTOGRAM
		       "      bucket_type: exp2\n      bucket_min: 0\n      bucket_max: 2\n"
		       "      bucket_multiplier: 0.001\n      labels:\n"
		       "        - {name: l, size: 4, decoders: [{name: uint}]}\n"
		       "        - {name: any, size: 4, decoders: [{name: uint}]}\n");
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		put(&b, &keys[i], &values[i]);
	assert_string_equal(scrape(&b, NULL), "p_m_bucket{l=\"1\",le=\"0.001\"} 5\n"
					      "p_m_bucket{l=\"1\",le=\"0.002\"} 5\n"
					      "p_m_bucket{l=\"1\",le=\"0.004\"} 11\n"
					      "p_m_bucket{l=\"1\",le=\"+Inf\"} 11\n"
					      "p_m_sum{l=\"1\"} 1\n"
					      "p_m_count{l=\"1\"} 11\n");
	close_bench(&b);
}

#define BUCKETS_OF_TWO                                                                             \
	"      bucket_type: linear\n      bucket_min: 1\n      bucket_max: 2\n      labels:\n"
#define CPU_LABEL "        - {name: cpu, size: 2, decoders: [{name: uint}]}\n"

/* CPU n has n more in each bucket and in the sum. */
static void check_histogram_of_cpus(struct bench *b, const char *labels)
{
	int n = libbpf_num_possible_cpus();

	scrape(b, NULL);
	assert_int_equal(collector_series(b->collector), n);
	for (int cpu = 0; cpu < n; cpu++) {
		char lines[512];

		snprintf(lines, sizeof(lines),
			 "p_m_bucket{cpu=\"%d\"%s,le=\"1\"} %d\n"
			 "p_m_bucket{cpu=\"%d\"%s,le=\"2\"} %d\n"
			 "p_m_bucket{cpu=\"%d\"%s,le=\"+Inf\"} %d\n"
			 "p_m_sum{cpu=\"%d\"%s} %d\n"
			 "p_m_count{cpu=\"%d\"%s} %d\n",
			 cpu, labels, 10 + cpu, cpu, labels, 30 + 2 * cpu, cpu, labels,
			 30 + 2 * cpu, cpu, labels, 70 + cpu, cpu, labels, 30 + 2 * cpu);
		if (!strstr(buf_str(&b->out), lines))
			fail_msg("%s\nhas not: %s", buf_str(&b->out), lines);
	}
}

/* The bucket is the last label, the CPU the one before it, which is not in the key. */
static void test_histogram_of_each_cpu(void **state)
{
	static const uint64_t firsts[] = {10, 20, 70};
	int n = libbpf_num_possible_cpus();
	uint64_t values[1024];
	struct bench b;

	(void)state;
	open_map(&b, BPF_MAP_TYPE_LRU_PERCPU_HASH, sizeof(struct bucket_key), 8);
	open_collector(&b, HISTOGRAM BUCKETS_OF_TWO
		       "        - {name: l, size: 4, decoders: [{name: uint}]}\n" CPU_LABEL
		       "        - {name: bucket, size: 4, decoders: [{name: uint}]}\n");
	for (uint32_t i = 0; i < ARRAY_SIZE(firsts); i++) {
		struct bucket_key key = {5, 1 + i};

		fill_cpus(values, n, firsts[i]);
		put(&b, &key, values);
	}
	check_histogram_of_cpus(&b, ",l=\"5\"");
	close_bench(&b);

	/* All of an array's entries are there; the first is no bucket. */
	open_map(&b, BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8);
	open_collector(&b, HISTOGRAM BUCKETS_OF_TWO CPU_LABEL
		       "        - {name: bucket, size: 4, decoders: [{name: uint}]}\n");
	for (uint32_t i = 0; i < ARRAY_SIZE(firsts); i++) {
		uint32_t key = 1 + i;

		fill_cpus(values, n, firsts[i]);
		put(&b, &key, values);
	}
	check_histogram_of_cpus(&b, "");
	close_bench(&b);
}

/* Numbers up to 2, 4 and 8 in halves of an octave; text shows octaves. */
static void test_native_histogram_by_key(void **state)
{
	struct bucket_key keys[] = {{1, 0}, {1, 1}, {1, 2}, {1, 3}, {1, 5}, {1, 6 /* the sum */}};
	uint64_t values[] = {5, 6, 7, 8, 9, 1024};
	struct bench b;

	(void)state;
	open_map(&b, BPF_MAP_TYPE_HASH, sizeof(keys[0]), 8);
	open_collector(&b,
		       HISTOGRAM "      bucket_type: native\n      schema: 1\n      bucket_max: 5\n"
				 "      bucket_multiplier: 2^-10\n      labels:\n"
				 "        - {name: l, size: 4, decoders: [{name: uint}]}\n"
				 "        - {name: any, size: 4, decoders: [{name: uint}]}\n");
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		put(&b, &keys[i], &values[i]);
	assert_string_equal(scrape(&b, NULL), "p_m_bucket{l=\"1\",le=\"0\"} 5\n"
					      "p_m_bucket{l=\"1\",le=\"0.0009765625\"} 11\n"
					      "p_m_bucket{l=\"1\",le=\"0.001953125\"} 26\n"
					      "p_m_bucket{l=\"1\",le=\"0.00390625\"} 35\n"
					      "p_m_bucket{l=\"1\",le=\"+Inf\"} 35\n"
					      "p_m_sum{l=\"1\"} 1\n"
					      "p_m_count{l=\"1\"} 35\n");
	close_bench(&b);
}

static void test_native_histogram_in_the_value(void **state)
{
	struct {
		uint64_t sum;
		uint64_t buckets[4];
	} value = {40, {1, 2, 3, 4}};
	uint32_t key = 3;
	struct bench b;

	(void)state;
	open_map(&b, BPF_MAP_TYPE_HASH, sizeof(key), sizeof(value));
	open_collector(
		&b, COUNTER
		"      labels:\n        - {name: l, size: 4, decoders: [{name: uint}]}\n"
		"      values:\n"
		"        - {name: s, type: histogram, offset: 8, sum_offset: 0, bucket_type: "
		"native, schema: 1, bucket_min: 3, bucket_max: 6}\n");
	put(&b, &key, &value);
	/* Keys 3 … 6: 2^(2/2), and 2^(3/2) and 2^(4/2), and 2^(5/2). */
	assert_string_equal(scrape(&b, NULL), "p_s_bucket{l=\"3\",le=\"2\"} 1\n"
					      "p_s_bucket{l=\"3\",le=\"4\"} 6\n"
					      "p_s_bucket{l=\"3\",le=\"8\"} 10\n"
					      "p_s_bucket{l=\"3\",le=\"+Inf\"} 10\n"
					      "p_s_sum{l=\"3\"} 40\n"
					      "p_s_count{l=\"3\"} 10\n");
	close_bench(&b);
}

struct traffic {
	uint64_t packets;
	uint64_t bytes;
	uint64_t sizes[3];
	uint32_t small;
	uint16_t tiny;
	uint8_t least;
	uint8_t pad;
};

#define STRUCT_VALUES                                                                              \
	COUNTER "      labels:\n"                                                                  \
		"        - {name: dev, size: 4, decoders: [{name: uint}]}\n"                       \
		"        - {name: proto, size: 4, decoders: [{name: uint}]}\n"                     \
		"      values:\n"                                                                  \
		"        - {name: packets_total, help: p, offset: 0}\n"                            \
		"        - {name: size, type: histogram, help: s, offset: 16, bucket_type: "       \
		"linear, "                                                                         \
		"bucket_min: 1, bucket_max: 3, sum_offset: 8, labels: [dev]}\n"                    \
		"        - {name: small, type: gauge, help: g, offset: 40, size: 4}\n"             \
		"        - {name: tiny, type: gauge, help: g, offset: 44, size: 2}\n"              \
		"        - {name: least, type: gauge, help: g, offset: 46, size: 1}\n"

static void test_struct_values(void **state)
{
	int n = libbpf_num_possible_cpus();
	struct {
		uint32_t dev, proto;
	} keys[] = {{1, 6}, {1, 17}};
	struct traffic values[1024] = {
		{2, 100, {1, 1, 0}, 70000, 300, 9, 0},
	};
	struct bench b;

	(void)state;
	if (n == 1)
		skip(); /* nothing to sum */
	values[1] = (struct traffic){3, 50, {1, 0, 2}, 0, 0, 0, 0};
	open_map(&b, BPF_MAP_TYPE_PERCPU_HASH, sizeof(keys[0]), sizeof(values[0]));
	open_collector(&b, STRUCT_VALUES);
	put(&b, &keys[0], values);
	assert_string_equal(scrape(&b, NULL), "p_packets_total{dev=\"1\",proto=\"6\"} 5\n"
					      "p_size_bucket{dev=\"1\",le=\"1\"} 2\n"
					      "p_size_bucket{dev=\"1\",le=\"2\"} 3\n"
					      "p_size_bucket{dev=\"1\",le=\"3\"} 5\n"
					      "p_size_bucket{dev=\"1\",le=\"+Inf\"} 5\n"
					      "p_size_sum{dev=\"1\"} 150\n"
					      "p_size_count{dev=\"1\"} 5\n"
					      "p_small{dev=\"1\",proto=\"6\"} 70000\n"
					      "p_tiny{dev=\"1\",proto=\"6\"} 300\n"
					      "p_least{dev=\"1\",proto=\"6\"} 9\n");
	/* Entries that differ only in labels that the histogram leaves out are one for it. */
	put(&b, &keys[1], values);
	assert_non_null(strstr(scrape(&b, NULL), "p_size_count{dev=\"1\"} 10\n"));
	close_bench(&b);
}

#define ROWS                                                                                       \
	COUNTER "      rows: {offset: 8, size: 12, count: 2}\n"                                    \
		"      labels:\n"                                                                  \
		"        - {name: dev, size: 2, padding: 2, decoders: [{name: uint}]}\n"           \
		"      values:\n"                                                                  \
		"        - {name: packets_total, help: p, offset: 4, size: 4}\n"                   \
		"        - {name: bytes_total, help: b, offset: 8, size: 4}\n"

struct set {
	uint32_t lock, padding;
	struct {
		uint32_t dev, packets, bytes;
	} rows[2];
	uint64_t after;
};

static void test_rows_of_a_value_are_entries(void **state)
{
	const struct set sets[] = {
		{7, 7, {{1, 10, 100}, {2, 20, 200}}, 7},
		{7, 7, {{0, 30, 300}, {3, 40, 400}}, 7}, /* no key, so it is none */
		{7, 7, {{0, 0, 0}, {4, 50, 500}}, 7},
	};
	struct collector_counts counts;
	struct bench b;

	(void)state;
	open_map(&b, BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), sizeof(sets[0]));
	open_collector(&b, ROWS);
	assert_string_equal(scrape(&b, NULL), "");
	for (uint32_t i = 0; i < ARRAY_SIZE(sets); i++)
		put(&b, &i, &sets[i]);
	assert_string_equal(scrape(&b, NULL), "p_packets_total{dev=\"1\"} 10\n"
					      "p_packets_total{dev=\"2\"} 20\n"
					      "p_packets_total{dev=\"3\"} 40\n"
					      "p_packets_total{dev=\"4\"} 50\n"
					      "p_bytes_total{dev=\"1\"} 100\n"
					      "p_bytes_total{dev=\"2\"} 200\n"
					      "p_bytes_total{dev=\"3\"} 400\n"
					      "p_bytes_total{dev=\"4\"} 500\n");
	collector_counts(b.collector, &counts);
	assert_int_equal(counts.max_entries, 8);
	close_bench(&b);
}

/* More than fit into one call of the reader, in a hash as well. */
static void test_many_rows(void **state)
{
	static const enum bpf_map_type types[] = {BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_HASH};
	const uint32_t n = 5000;

	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
		struct bench b;

		open_map(&b, types[t], sizeof(uint32_t), sizeof(struct set));
		close(b.map.fd);
		b.map.max_entries = n;
		b.map.fd = bpf_map_create(types[t], "m", 4, sizeof(struct set), n, NULL);
		open_collector(&b, ROWS);
		for (uint32_t i = 0; i < n; i++) {
			struct set set = {.rows = {{2 * i + 1, 1, 1}, {2 * i + 2, 1, 1}}};

			put(&b, &i, &set);
		}
		scrape(&b, NULL);
		assert_int_equal(collector_series(b.collector), 2 * 2 * n);
		close_bench(&b);
	}
}

/* The number behind @series in the text of the last scrape; -1 when it is not there. */
static int64_t value_of(struct bench *b, const char *series)
{
	const char *line = strstr(buf_str(&b->out), series);

	return line ? (int64_t)strtoull(line + strlen(series), NULL, 10) : -1;
}

static void put_u32(struct bench *b, uint32_t key, uint64_t value)
{
	put(b, &key, &value);
}

static void delete_u32(struct bench *b, uint32_t key)
{
	assert_int_equal(bpf_map_delete_elem(b->map.fd, &key), 0);
}

#define LABEL_L "      labels:\n        - {name: l, size: 4, decoders: [{name: uint}]}\n"

static struct collector_counts counts_of(const struct bench *b)
{
	struct collector_counts counts;

	collector_counts(b->collector, &counts);
	return counts;
}

static void test_max_series(void **state)
{
	struct bench b;

	(void)state;
	open_map(&b, BPF_MAP_TYPE_HASH, 4, 8);
	open_collector(&b, COUNTER "      max_series: 2\n" LABEL_L);
	put_u32(&b, 1, 10);
	put_u32(&b, 2, 20);
	assert_null(strstr(scrape(&b, NULL), "other"));
	put_u32(&b, 3, 30);
	put_u32(&b, 4, 40);
	scrape(&b, NULL);
	assert_int_equal(value_of(&b, "p_m{l=\"1\"} "), 10);
	assert_int_equal(value_of(&b, "p_m{l=\"2\"} "), 20);
	assert_int_equal(value_of(&b, "p_m{l=\"other\"} "), 70);
	assert_int_equal(collector_series(b.collector), 3);
	assert_int_equal(counts_of(&b).overflowed, 2);

	/* Its place goes to one that is new; who is among the others stays there, or the others'
	 * number would go down. */
	delete_u32(&b, 1);
	put_u32(&b, 5, 50);
	put_u32(&b, 3, 31);
	scrape(&b, NULL);
	assert_int_equal(value_of(&b, "p_m{l=\"1\"} "), -1);
	assert_int_equal(value_of(&b, "p_m{l=\"5\"} "), 50);
	assert_int_equal(value_of(&b, "p_m{l=\"other\"} "), 71);
	assert_int_equal(counts_of(&b).overflowed, 2);

	/* One that goes and comes back has lost its place to who came meanwhile. */
	delete_u32(&b, 2);
	put_u32(&b, 6, 60);
	scrape(&b, NULL);
	put_u32(&b, 2, 22);
	scrape(&b, NULL);
	assert_int_equal(value_of(&b, "p_m{l=\"6\"} "), 60);
	assert_int_equal(value_of(&b, "p_m{l=\"2\"} "), -1);
	assert_int_equal(value_of(&b, "p_m{l=\"other\"} "), 93);
	close_bench(&b);
}

static void test_overflow_drop(void **state)
{
	struct bench b;

	(void)state;
	open_map(&b, BPF_MAP_TYPE_HASH, 4, 8);
	open_collector(&b, COUNTER "      max_series: 1\n      overflow: drop\n" LABEL_L);
	put_u32(&b, 1, 10);
	scrape(&b, NULL);
	put_u32(&b, 2, 20);
	assert_string_equal(scrape(&b, NULL), "p_m{l=\"1\"} 10\n");
	assert_int_equal(counts_of(&b).overflowed, 1);
	delete_u32(&b, 1);
	delete_u32(&b, 2);
	put_u32(&b, 3, 30);
	assert_string_equal(scrape(&b, NULL), "p_m{l=\"3\"} 30\n");
	close_bench(&b);
}

/* A metric with fewer labels has places of its own. */
static void test_max_series_of_each_set_of_labels(void **state)
{
	struct two key = {.z = 1};
	uint64_t value = 1;
	struct bench b;

	(void)state;
	open_map(&b, BPF_MAP_TYPE_HASH, sizeof(key), 8);
	open_collector(&b, TWO_LABELS "      max_series: 2\n      values:\n"
				      "        - {name: all, offset: 0}\n"
				      "        - {name: by_z, offset: 0, labels: [z]}\n");
	for (key.a = 0; key.a < 5; key.a++)
		put(&b, &key, &value);
	scrape(&b, NULL);
	assert_int_equal(value_of(&b, "p_all{a=\"other\",z=\"other\"} "), 3);
	assert_int_equal(value_of(&b, "p_by_z{z=\"1\"} "), 5);
	assert_int_equal(collector_series(b.collector), 4);
	close_bench(&b);
}

static uint64_t sum_of_lines(struct bench *b, size_t *ret_lines)
{
	const char *at = buf_str(&b->out);
	uint64_t sum = 0;

	for (*ret_lines = 0; (at = strchr(at, '}')); (*ret_lines)++)
		sum += strtoull(++at, NULL, 10);
	return sum;
}

/* Who came first stays, whoever comes and goes, and also when all is decoded anew, as it is when
 * too many texts are dead. Nothing is lost in the sum. */
static void test_places_are_kept(void **state)
{
	enum { STABLE = 100, CHURN = 2000, MOST = 1500 };
	struct bench b;
	size_t lines;

	(void)state;
	open_map(&b, BPF_MAP_TYPE_HASH, 4, 8);
	open_collector(&b, COUNTER "      max_series: 1500\n" LABEL_L);
	for (uint32_t i = 0; i < STABLE; i++)
		put_u32(&b, i, 1000 + i);
	scrape(&b, NULL);
	for (uint32_t round = 1; round <= 10; round++) {
		for (uint32_t i = 0; i < CHURN; i++)
			put_u32(&b, round * CHURN + i, 7);
		scrape(&b, NULL);
		for (uint32_t i = 0; i < STABLE; i++) {
			char series[32];

			snprintf(series, sizeof(series), "p_m{l=\"%u\"} ", i);
			assert_int_equal(value_of(&b, series), 1000 + i);
		}
		assert_int_equal(sum_of_lines(&b, &lines),
				 CHURN * 7 + STABLE * 1000 + STABLE * (STABLE - 1) / 2);
		assert_int_equal(lines, MOST + 1);
		for (uint32_t i = 0; i < CHURN; i++)
			delete_u32(&b, round * CHURN + i);
	}
	close_bench(&b);
}

static const enum bpf_map_type ageing_types[] = {
	BPF_MAP_TYPE_HASH,
	BPF_MAP_TYPE_LRU_HASH,
	BPF_MAP_TYPE_PERCPU_HASH,
	BPF_MAP_TYPE_LRU_PERCPU_HASH,
};

/* @value for CPU 0, nothing for the others. */
static void put_two(struct bench *b, struct two key, uint64_t value)
{
	uint64_t values[1024] = {value};

	put(b, &key, values);
}

static bool has_two(const struct bench *b, struct two key)
{
	uint64_t values[1024];

	return bpf_map_lookup_elem(b->map.fd, &key, values) == 0;
}

static void wait_until_later(void)
{
	const struct timespec pause = {.tv_nsec = 20000000};

	nanosleep(&pause, NULL);
}

/* `busy` and `idle` are of one series, `alone` has its own. */
static const struct two busy = {.z = 1, .a = 1}, idle = {.z = 1, .pad = {1}, .a = 1},
			alone = {.z = 2, .a = 2};
enum { LONGEST_WAIT = 1000 };

/* A round of the first part of test_ttl(); whether entries that are idle are still there. */
static bool check_carried(struct bench *b, int64_t round)
{
	put_two(b, busy, 6 + (uint64_t)round);
	scrape(b, NULL);
	assert_int_equal(value_of(b, "p_m{a=\"1\",z=\"1\"} "), 16 + round);
	return has_two(b, idle) || has_two(b, alone);
}

static void check_what_is_left(struct bench *b)
{
	/* What the idle one had goes on in the series; what stood alone is no more. */
	assert_true(has_two(b, busy));
	put_two(b, busy, 1000);
	scrape(b, NULL);
	assert_int_equal(value_of(b, "p_m{a=\"1\",z=\"1\"} "), 1010);
	assert_null(strstr(buf_str(&b->out), "z=\"2\""));
	assert_int_equal(counts_of(b).expired, 2);
	/* Back again, it adds to that. */
	put_two(b, idle, 1);
	scrape(b, NULL);
	assert_int_equal(value_of(b, "p_m{a=\"1\",z=\"1\"} "), 1011);
}

static void test_ttl(void **state)
{
	struct bench b[ARRAY_SIZE(ageing_types)];
	bool left = true;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(b); i++) {
		open_map(&b[i], ageing_types[i], sizeof(busy), 8);
		open_collector(&b[i], TWO_LABELS "      ttl: 1s\n");
		put_two(&b[i], idle, 10);
		put_two(&b[i], alone, 3);
	}
	for (int round = 0; left; round++) {
		assert_true(round < LONGEST_WAIT);
		left = false;
		for (size_t i = 0; i < ARRAY_SIZE(b); i++)
			left |= check_carried(&b[i], round);
		wait_until_later();
	}
	for (size_t i = 0; i < ARRAY_SIZE(b); i++)
		check_what_is_left(&b[i]);
	left = true;
	for (int round = 0; left; round++) {
		assert_true(round < LONGEST_WAIT);
		left = false;
		for (size_t i = 0; i < ARRAY_SIZE(b); i++)
			left |= *scrape(&b[i], NULL) != '\0';
		wait_until_later();
	}
	/* When all are gone, it begins at 0. */
	for (size_t i = 0; i < ARRAY_SIZE(b); i++) {
		put_two(&b[i], busy, 2);
		assert_string_equal(scrape(&b[i], NULL), "p_m{a=\"1\",z=\"1\"} 2\n");
		close_bench(&b[i]);
	}
}

/* What gauges and entries of one CPU each do when an idle entry goes; dead texts in between. */
static void test_ttl_of_gauges_cpus_and_anew(void **state)
{
	struct bench gauge, cpu;
	int i = 0;

	(void)state;
	open_map(&gauge, BPF_MAP_TYPE_HASH, sizeof(busy), 8);
	open_collector(&gauge, TWO_LABELS "      ttl: 1s\n      values:\n"
					  "        - {name: g, type: gauge, offset: 0}\n"
					  "        - {name: c, offset: 0}\n");
	open_map(&cpu, BPF_MAP_TYPE_PERCPU_HASH, sizeof(busy), 8);
	open_collector(&cpu, TWO_LABELS
		       "        - {name: cpu, size: 2, decoders: [{name: uint}]}\n      ttl: 1s\n");
	put_two(&gauge, idle, 10);
	put_two(&cpu, idle, 10);
	for (; has_two(&gauge, idle) || has_two(&cpu, idle); i++) {
		assert_true(i < LONGEST_WAIT);
		put_two(&gauge, busy, 1 + (uint64_t)i);
		put_two(&cpu, busy, 1 + (uint64_t)i);
		for (uint32_t k = 0; k < 100; k++)
			put_two(&cpu, (struct two){.z = 7, .a = (uint32_t)i * 100 + k}, 1);
		scrape(&gauge, NULL);
		scrape(&cpu, NULL);
		assert_int_equal(value_of(&gauge, "p_c{a=\"1\",z=\"1\"} "), 11 + i);
		assert_int_equal(value_of(&cpu, "p_m{a=\"1\",cpu=\"0\",z=\"1\"} "), 11 + i);
		for (uint32_t k = 0; k < 100; k++) {
			struct two key = {.z = 7, .a = (uint32_t)i * 100 + k};

			bpf_map_delete_elem(cpu.map.fd, &key);
		}
		wait_until_later();
	}
	scrape(&gauge, NULL);
	scrape(&cpu, NULL);
	assert_int_equal(value_of(&gauge, "p_g{a=\"1\",z=\"1\"} "), i);
	assert_int_equal(value_of(&gauge, "p_c{a=\"1\",z=\"1\"} "), 10 + i);
	assert_int_equal(value_of(&cpu, "p_m{a=\"1\",cpu=\"0\",z=\"1\"} "), 10 + i);
	close_bench(&gauge);
	close_bench(&cpu);
}

struct refusal {
	uint32_t key_size, value_size;
	const char *metrics;
	const char *says;
};

static const struct refusal refusals[] = {
	{12, 8, TWO_LABELS,
	 "test.yaml:3:13: error: the labels of 'm' describe a key of 8 bytes (sizes and paddings "
	 "added up), "
	 "but the keys of map 'm' have 12 bytes"},
	{8, 16, TWO_LABELS, "the values of map 'm' have 16 bytes; a metric is one 8-byte number"},
	{8, 8, COUNTER, "describe a key of 0 bytes"},
	{8, 40, STRUCT_VALUES,
	 "'small' ends at byte 44 of the value, but the values of map 'm' have 40"},
	{4, 24,
	 COUNTER
	 "      labels:\n        - {name: l, size: 4, decoders: [{name: uint}]}\n      values:\n"
	 "        - {name: s, type: histogram, offset: 0, bucket_type: linear, bucket_min: 1, "
	 "bucket_max: 3, sum_offset: 24}\n",
	 "sum_offset of 's' is beyond the value"},
};

static bool never(const void *ctx, const char *option)
{
	(void)ctx;
	assert_string_equal(option, "sizes");
	return false;
}

/* `when` with its option off: the rest of the map's metrics is there, this one is not. */
static void test_when(void **state)
{
	static const struct decode_env nothing;
	const struct collector_env env = {.decode = &nothing, .prefix = "p", .when = never};
	struct report report = {0};
	struct bench b;

	(void)state;
	open_map(&b, BPF_MAP_TYPE_HASH, 4, 16);
	b.config = config_from_text(
		"options:\n  - {name: sizes, type: bool, default: true}\n" COUNTER "      labels:\n"
		"        - {name: l, size: 4, decoders: [{name: uint}]}\n"
		"      values:\n"
		"        - {name: a, offset: 0}\n"
		"        - {name: b, offset: 8, when: sizes}\n");
	assert_int_equal(collector_new(&b.config->metrics.items[0], &b.config->source, &b.map, NULL,
				       &env, &report, &b.collector),
			 0);
	assert_int_equal(collector_family_count(b.collector), 1);
	assert_string_equal(collector_family(b.collector, 0)->name, "p_a");
	close_bench(&b);
}

/* A label that is off: entries that differ only in it are summed, and it is not decoded (nothing is
 * there to ask for names). */
static void test_label_that_is_off(void **state)
{
	static const struct decode_env nothing;
	const struct collector_env env = {.decode = &nothing, .prefix = "p", .when = never};
	static const uint32_t keys[][2] = {{1, 7}, {1, 8}, {2, 7}};
	struct report report = {0};
	uint64_t errors = 0, value = 5;
	const char *text;
	struct bench b;

	(void)state;
	open_map(&b, BPF_MAP_TYPE_HASH, 8, 8);
	b.config = config_from_text(
		"options:\n  - {name: sizes, type: bool, default: true}\n" COUNTER "      labels:\n"
		"        - {name: kept, size: 4, decoders: [{name: uint}]}\n"
		"        - name: off\n          size: 4\n          when: sizes\n"
		"          decoders: [{name: ifname}]\n");
	assert_int_equal(collector_new(&b.config->metrics.items[0], &b.config->source, &b.map, NULL,
				       &env, &report, &b.collector),
			 0);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		put(&b, keys[i], &value);
	text = scrape(&b, &errors);
	assert_int_equal(errors, 0);
	assert_int_equal(collector_series(b.collector), 2);
	assert_non_null(strstr(text, "p_m{kept=\"1\"} 10\n"));
	assert_non_null(strstr(text, "p_m{kept=\"2\"} 5\n"));
	close_bench(&b);
}

static void test_refusals(void **state)
{
	static const struct decode_env nothing;
	const struct collector_env env = {.decode = &nothing, .prefix = "p"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		const struct refusal *r = &refusals[i];
		struct map_info map = {"m", -1,   BPF_MAP_TYPE_HASH, r->key_size, r->value_size,
				       10,  false};
		struct config *c = config_from_text(r->metrics);
		struct report report = {0};
		struct collector *collector;

		assert_int_equal(collector_new(&c->metrics.items[0], &c->source, &map, NULL, &env,
					       &report, &collector),
				 -EINVAL);
		if (!strstr(buf_str(&report.text), r->says))
			fail_msg("%s\nsays not: %s", buf_str(&report.text), r->says);
		report_free(&report);
		config_free(c);
	}
}

#define TOP                                                                                        \
	"options: [{name: n, type: uint}]\n"                                                       \
	"metrics:\n  counters:\n    - name: m\n      labels:\n"                                    \
	"        - {name: host, size: 4, decoders: [{name: uint}]}\n"                              \
	"        - {name: port, size: 4, decoders: [{name: uint}]}\n"                              \
	"      values:\n"                                                                          \
	"        - {name: top, offset: 0, top: n, labels: [host], others: [host], rest: left}\n"   \
	"    - name: gone\n      labels: []\n      values: [{name: left, offset: 0}]\n"

/* One place, as nobody says how many. A number counts from when its series is shown, and what comes
 * back to the map is new, also where it has more than it had before. */
static void test_top_counts_growth(void **state)
{
	struct two_ports {
		uint32_t host, port;
	} first = {1, 1}, second = {1, 2}, other = {2, 1};
	uint64_t value = 100, little = 10;
	struct bench b;

	(void)state;
	open_map(&b, BPF_MAP_TYPE_HASH, sizeof(first), 8);
	open_collector(&b, TOP);
	put(&b, &first, &value);
	put(&b, &second, &little);
	put(&b, &other, &little);
	assert_string_equal(scrape(&b, NULL), "p_top{host=\"1\"} 0\n");
	value = 150;
	put(&b, &first, &value);
	assert_string_equal(scrape(&b, NULL), "p_top{host=\"1\"} 50\n");
	assert_int_equal(collector_series(b.collector), 1);
	assert_int_equal(bpf_map_delete_elem(b.map.fd, &first), 0);
	assert_string_equal(scrape(&b, NULL), "p_top{host=\"1\"} 50\n");
	value = 500;
	put(&b, &first, &value);
	assert_string_equal(scrape(&b, NULL), "p_top{host=\"1\"} 550\n");
	value = 20;
	put(&b, &first, &value); /* began anew between two reads */
	assert_string_equal(scrape(&b, NULL), "p_top{host=\"1\"} 570\n");
	value = 10000;
	put(&b, &other, &value);
	assert_string_equal(scrape(&b, NULL), "p_top{host=\"2\"} 0\n");
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labels_are_sorted_and_padding_skipped),
		cmocka_unit_test(test_a_deleted_key_is_gone),
		cmocka_unit_test(test_churn),
#ifndef __SANITIZE_ADDRESS__
		cmocka_unit_test(test_lack_of_memory),
#endif
		cmocka_unit_test(test_no_labels),
		cmocka_unit_test(test_entry_that_cannot_be_decoded),
		cmocka_unit_test(test_per_cpu_sum_and_split),
		cmocka_unit_test(test_histogram_by_key),
		cmocka_unit_test(test_histogram_of_each_cpu),
		cmocka_unit_test(test_native_histogram_by_key),
		cmocka_unit_test(test_native_histogram_in_the_value),
		cmocka_unit_test(test_struct_values),
		cmocka_unit_test(test_rows_of_a_value_are_entries),
		cmocka_unit_test(test_many_rows),
		cmocka_unit_test(test_max_series),
		cmocka_unit_test(test_top_counts_growth),
		cmocka_unit_test(test_overflow_drop),
		cmocka_unit_test(test_max_series_of_each_set_of_labels),
		cmocka_unit_test(test_places_are_kept),
		cmocka_unit_test(test_ttl),
		cmocka_unit_test(test_ttl_of_gauges_cpus_and_anew),
		cmocka_unit_test(test_when),
		cmocka_unit_test(test_label_that_is_off),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
