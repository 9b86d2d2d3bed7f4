// SPDX-License-Identifier: MIT
/*
 * Keys and values of any bytes through a collector: whatever a map holds, the text is one that
 * Prometheus takes, no series is in it twice, and no number is lost.
 *
 * The first byte chooses the metric; then come entries, key and values, as long as the metric wants
 * them. They are read three times: the first half, all, and the second half.
 */
#include "fuzz.h"

#include <assert.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/macro.h"
#include "base/utf8.h"
#include "config/config.h"
#include "metrics/collector.h"
#include "metrics/exposition.h"

enum { MOST_ENTRIES = 200, BATCH = 7 };

#define UINT   "decoders: [{name: uint}]"
#define STRING "decoders: [{name: string}]"
#define HEX    "decoders: [{name: hex}]"

struct shape {
	const char *list;
	const char *metric;
	uint32_t key_size, value_size;
	uint32_t n_values; /* more than one: a per-CPU map */
	bool sums_up;      /* the lines of it are what all the values are together */
};

static const struct shape shapes[] = {
	{"counters", "{name: m, labels: [{name: a, size: 3, " STRING "}]}", 3, 8, 1, true},
	{"counters",
	 "{name: m, labels: [{name: b, size: 1, padding: 1, " HEX "}, {name: a, size: "
	 "2, " STRING "}]}",
	 4, 8, 1, true},
	{"counters", "{name: m, max_series: 3, labels: [{name: a, size: 2, " STRING "}]}", 2, 8, 2,
	 true},
	{"counters",
	 "{name: m, max_series: 2, overflow: drop, labels: [{name: a, size: 2, " STRING "}]}", 2, 8,
	 1, false},
	{"counters",
	 "{name: m, labels: [{name: a, size: 2, decoders: [{name: string}, {name: "
	 "ip_proto}]}]}",
	 2, 8, 1, false},
	{"counters",
	 "{name: m, ttl: 1h, labels: [{name: a, size: 1, " UINT "}, {name: cpu, size: 2, " UINT
	 "}]}",
	 1, 8, 2, true},
	{"counters", "{name: m}", 4, 8, 1, false},
	{"gauges",
	 "{name: m, labels: [{name: a, size: 2, " STRING "}], values: [{name: g, offset: "
	 "1, size: 1}, {name: h, type: histogram, offset: 2, bucket_type: native, schema: "
	 "1, bucket_max: 2, sum_offset: 4}, {name: f, offset: 0, size: 2, labels: []}]}",
	 2, 26, 1, false},
	{"histograms",
	 "{name: m, bucket_type: exp2zero, bucket_max: 5, max_series: 2, bucket_multiplier: 0.1, "
	 "labels: [{name: a, size: 1, " STRING "}, {name: b, size: 1, " UINT "}]}",
	 2, 8, 1, false},
	{"histograms",
	 "{name: m, bucket_type: fixed, bucket_keys: [1, 5, 9], labels: [{name: cpu, size: 2, " UINT
	 "}, {name: b, size: 1, " UINT "}]}",
	 1, 8, 2, false},
};

/* Entries as somebody who is no map may have them; one key may be there more than once. */
struct fed {
	struct feed feed;
	const uint8_t *keys, *values;
	size_t from, to;
};

static int read_fed(struct feed *f, feed_fn fn, void *ctx, struct error *e)
{
	struct fed *fed = CONTAINER_OF(f, struct fed, feed);
	int err = 0;

	(void)e;
	for (size_t i = fed->from; i < fed->to && !err; i += BATCH)
		err = fn(ctx, fed->keys + i * f->key_size, fed->values + i * f->stride,
			 MIN(fed->to - i, (size_t)BATCH));
	return err;
}

static int remove_fed(struct feed *f, const void *key, void *ret_values)
{
	(void)f, (void)key, (void)ret_values;
	return -1;
}

static void free_fed(struct feed *f)
{
	(void)f;
}

static const struct feed_ops fed_ops = {read_fed, remove_fed, free_fed};

static struct config *parse(const struct shape *shape)
{
	struct source source = {.name = strdup("fuzz.yaml")};
	_cleanup_buf_ struct buf text = {0};
	_cleanup_report_ struct report report = {0};
	struct config *config = NULL;
	int err;

	buf_printf(&text, "metrics: {%s: [%s]}", shape->list, shape->metric);
	source.text = strdup(buf_str(&text));
	source.len = text.len;
	err = config_parse("fuzz", source, &report, &config);
	assert(!err);
	return config;
}

static struct collector *make_collector(const struct shape *shape, const struct config *config,
					struct fed *fed)
{
	static const struct decode_env nothing;
	const struct collector_env env = {.decode = &nothing, .prefix = "p"};
	const struct map_info map = {
		.name = "m",
		.fd = -1,
		.type = shape->n_values > 1 ? BPF_MAP_TYPE_PERCPU_HASH : BPF_MAP_TYPE_HASH,
		.key_size = shape->key_size,
		.value_size = shape->value_size,
		.max_entries = MOST_ENTRIES,
		.per_cpu = shape->n_values > 1,
	};
	_cleanup_report_ struct report report = {0};
	struct collector *c = NULL;
	int err = collector_new(&config->metrics.items[0], &config->source, &map, &fed->feed, &env,
				&report, &c);

	assert(!err);
	return c;
}

/* "p_name{label="text",…} number" and its end; gives back where the number is. */
static const char *check_line(const char *line, const char *end)
{
	const char *at = line;

	assert(strncmp(at, "p_", 2) == 0);
	at += strspn(at, "abcdefghijklmnopqrstuvwxyz_");
	if (*at == '{') {
		do {
			at++;
			at += strspn(at, "abcdefghijklmnopqrstuvwxyz_");
			assert(strncmp(at, "=\"", 2) == 0);
			for (at += 2; *at != '"'; at++) {
				assert(at < end);
				at += *at == '\\';
			}
			at++;
		} while (*at == ',');
		assert(*at == '}');
		at++;
	}
	assert(*at == ' ');
	return at + 1;
}

/* The values of all lines added up. */
static uint64_t check_text(struct buf *text)
{
	const char *at = buf_str(text), *end = at + text->len, *lines[MOST_ENTRIES * 20];
	size_t lens[MOST_ENTRIES * 20], n = 0;
	uint64_t sum = 0;

	for (size_t i = 0; i < text->len;) {
		size_t len = utf8_sequence(text->data + i, text->len - i);

		assert(len > 0);
		i += len;
	}
	while (at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at)), *number;

		assert(line_end && n < ARRAY_SIZE(lines));
		number = check_line(at, line_end);
		assert(*number >= '0' && *number <= '9');
		sum += strtoull(number, NULL, 10);
		lines[n] = at;
		lens[n++] = (size_t)(number - at);
		for (size_t i = 0; i + 1 < n; i++)
			assert(lens[i] != lens[n - 1] || memcmp(lines[i], at, lens[i]) != 0);
		at = line_end + 1;
	}
	return sum;
}

/* The first entry of each key counts. */
static uint64_t sum_of(const struct shape *shape, const struct fed *fed)
{
	uint64_t sum = 0, value;

	for (size_t i = fed->from; i < fed->to; i++) {
		const uint8_t *key = fed->keys + i * shape->key_size;
		bool is_first = true;

		for (size_t k = fed->from; k < i; k++)
			is_first &=
				memcmp(fed->keys + k * shape->key_size, key, shape->key_size) != 0;
		for (uint32_t cpu = 0; is_first && cpu < shape->n_values; cpu++) {
			memcpy(&value, fed->values + i * fed->feed.stride + cpu * sizeof(value),
			       sizeof(value));
			sum += value;
		}
	}
	return sum;
}

static void read_part(const struct shape *shape, struct collector *c, struct fed *fed, size_t from,
		      size_t to)
{
	_cleanup_buf_ struct buf text = {0};
	uint64_t errors = 0, sum;
	struct error error;
	int err;

	fed->from = from;
	fed->to = to;
	err = collector_read(c, &errors, &error);
	assert(!err);
	for (size_t i = 0; i < collector_family_count(c); i++) {
		const struct family *f = collector_family(c, i);

		f->samples(f, &exposition_text, &text);
	}
	sum = check_text(&text);
	assert(!shape->sums_up || sum == sum_of(shape, fed));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct shape *shape = &shapes[(size ? data[0] : 0U) % ARRAY_SIZE(shapes)];
	size_t stride = ROUND_UP((size_t)shape->value_size, (size_t)(shape->n_values > 1 ? 8 : 1)) *
			shape->n_values;
	size_t entry = shape->key_size + stride, n = size ? (size - 1) / entry : 0;
	_cleanup_free_ uint8_t *keys = NULL, *values = NULL;
	struct fed fed = {.feed = {&fed_ops, shape->key_size, stride, shape->n_values}};
	struct config *config = parse(shape);
	struct collector *c = make_collector(shape, config, &fed);

	n = MIN(n, (size_t)MOST_ENTRIES);
	keys = malloc(MAX(n * shape->key_size, (size_t)1));
	values = malloc(MAX(n * stride, (size_t)1));
	for (size_t i = 0; i < n; i++) {
		memcpy(keys + i * shape->key_size, data + 1 + i * entry, shape->key_size);
		memcpy(values + i * stride, data + 1 + i * entry + shape->key_size, stride);
	}
	fed.keys = keys;
	fed.values = values;
	read_part(shape, c, &fed, 0, n / 2);
	read_part(shape, c, &fed, 0, n);
	read_part(shape, c, &fed, n / 2, n);
	collector_free(c);
	config_free(config);
	return 0;
}
