// SPDX-License-Identifier: MIT
/*
 * What a scrape costs, beside the floor of any that could be: a bare batch read of the same map,
 * and a memcpy of each line of the same page, without writing a number.
 *
 *	scrape BUILD_DIR [CASE]		prints JSON; with CASE only this one, for a profiler
 *
 * The daemon is the real one, with bench_*.yaml over maps that are filled from here. Scrapes over
 * one kept HTTP connection on loopback and the floor take turns, so that whatever else the machine
 * does meets both alike. Medians over the rounds. Times in microseconds.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "daemon.h"
#include "scrape_maps.h"

enum {
	WARM_UP = 3,
	ROUNDS = 31,
	GZIP_ROUNDS = 7,
	BATCH = 4096, /* entries at once: as many as the daemon takes */
	SETTLED = 20, /* scrapes over which allocations are counted */
};

struct bench_case {
	const char *name;
	const char *help;
	const char *config;
	const char *map;
	uint32_t series;
	uint32_t entries_per_series; /* histograms: a key for each bucket and one for the sum */
	uint32_t lines_per_series;
	bool per_cpu;
};

static const struct bench_case cases[] = {
	{"counters_0", "empty map", "bench_counters", "counters_total", 0, 1, 1},
	{"counters_10000", "10,000 counters", "bench_counters", "counters_total", 10000, 1, 1},
	{"counters_100000", "100,000 counters", "bench_counters", "counters_total", COUNTERS_MAX, 1,
	 1},
	{"histograms_1000", "1,000 histograms × 27 buckets", "bench_histograms", "times_seconds",
	 HISTOGRAMS_MAX, BUCKETS + 1, BUCKETS + 3},
	{"per_cpu_10000", "10,000 per-CPU counters", "bench_per_cpu", "per_cpu_total", PER_CPU_MAX,
	 1, 1, .per_cpu = true},
};

/* Entries of a map side by side, as the kernel takes and gives them. */
struct entries {
	size_t stride; /* of values: one for each possible CPU in a per-CPU map */
	struct bench_key *keys;
	uint8_t *values;
};

struct floor {
	int map;
	struct entries batch;
	const struct buf *page;
	size_t *line_ends; /* of the benchmark's metric, by position in the page */
	size_t n_lines;
	size_t first_line;
	char *out;
};

struct times {
	uint64_t wall[ROUNDS], first_byte[ROUNDS], cpu[ROUNDS];
	uint64_t floor_wall[ROUNDS], floor_cpu[ROUNDS];
};

static void *allocate(size_t count, size_t size)
{
	void *p = calloc(MAX(count, (size_t)1), size);

	if (!p)
		bench_fail("no memory");
	return p;
}

static struct entries make_entries(const struct bench_case *c, size_t count)
{
	size_t stride = sizeof(uint64_t) * (c->per_cpu ? (size_t)libbpf_num_possible_cpus() : 1);

	return (struct entries){stride, allocate(count, sizeof(struct bench_key)),
				allocate(count, stride)};
}

static void free_entries(struct entries *e)
{
	free(e->keys);
	free(e->values);
}

/* ---- what is in the map ---- */

/* Connection @series: an id of the length that such ids have, an address, a state. */
static struct bench_key make_key(const struct bench_case *c, uint32_t series, uint32_t entry)
{
	return (struct bench_key){
		.connection = UINT64_C(1000000000000) + (uint64_t)series * 7919,
		.remote = {192, 0, (uint8_t)(series >> 8), (uint8_t)series},
		.last = c->entries_per_series > 1 ? entry : 1 + series % STATES,
	};
}

static void fill_map(int fd, const struct bench_case *c)
{
	uint32_t count = c->series * c->entries_per_series;
	struct entries e = make_entries(c, count);

	for (uint32_t i = 0; i < count; i++) {
		uint64_t value = 1000000 + (uint64_t)i * 104729;

		e.keys[i] = make_key(c, i / c->entries_per_series, i % c->entries_per_series);
		memcpy(e.values + i * e.stride, &value, sizeof(value));
	}
	if (count && bpf_map_update_batch(fd, e.keys, e.values, &count, NULL))
		bench_fail("cannot fill the map '%s': %s", c->map, strerror(errno));
	free_entries(&e);
}

/* ---- the floor ---- */

static bool is_line_of(const struct buf *page, size_t at, const char *metric)
{
	size_t len = strlen(metric);

	return page->len - at > len && memcmp(page->data + at, metric, len) == 0;
}

/* Finds the lines of @c's metric, which follow each other. */
static void find_lines(struct floor *f, const struct bench_case *c)
{
	char metric[64];
	size_t at = 0;

	snprintf(metric, sizeof(metric), "ebpf_exporter_%s", c->map);
	while (at < f->page->len) {
		const char *end = memchr(f->page->data + at, '\n', f->page->len - at);
		size_t next = (size_t)(end - f->page->data) + 1;

		if (is_line_of(f->page, at, metric)) {
			f->first_line = f->n_lines ? f->first_line : at;
			f->line_ends[f->n_lines++] = next;
		}
		at = next;
	}
	if (f->n_lines != (size_t)c->series * c->lines_per_series)
		bench_fail("%s: the page has %zu lines of '%s'", c->name, f->n_lines, metric);
}

static struct floor make_floor(int map, const struct bench_case *c, const struct buf *page)
{
	struct floor f = {.map = map, .batch = make_entries(c, BATCH), .page = page};

	f.out = allocate(page->len, 1);
	f.line_ends = allocate((size_t)c->series * c->lines_per_series + 1, sizeof(size_t));
	find_lines(&f, c);
	return f;
}

static void free_floor(struct floor *f)
{
	free_entries(&f->batch);
	free(f->out);
	free(f->line_ends);
}

static void run_floor(const struct floor *f)
{
	size_t at = f->first_line;
	uint32_t token, count;
	void *in = NULL;
	int err;

	do {
		count = BATCH;
		err = bpf_map_lookup_batch(f->map, in, &token, f->batch.keys, f->batch.values,
					   &count, NULL);
		in = &token;
	} while (!err);
	if (err != -ENOENT)
		bench_fail("cannot read the map: %s", strerror(-err));
	for (size_t i = 0; i < f->n_lines; i++) {
		memcpy(f->out + at, f->page->data + at, f->line_ends[i] - at);
		at = f->line_ends[i];
	}
}

/* ---- rounds ---- */

static uint64_t own_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

/* The daemon's CPU time is taken after the floor's turn: whatever it does behind its answer
 * counts. */
static void run_round(struct bench_daemon *d, const struct floor *f, struct buf *page,
		      struct times *t, size_t round)
{
	uint64_t cpu = bench_daemon_cpu_ns(d), from = clock_monotonic_ns(), floor_cpu;

	t->first_byte[round] = bench_daemon_scrape(d, page);
	t->wall[round] = clock_monotonic_ns() - from;
	from = clock_monotonic_ns();
	floor_cpu = own_cpu_ns();
	run_floor(f);
	t->floor_cpu[round] = own_cpu_ns() - floor_cpu;
	t->floor_wall[round] = clock_monotonic_ns() - from;
	t->cpu[round] = bench_daemon_cpu_ns(d) - cpu;
}

static void measure(struct bench_daemon *d, const struct floor *f, struct times *t)
{
	struct buf page = {0};

	for (int i = 0; i < WARM_UP; i++)
		run_round(d, f, &page, t, 0);
	for (size_t i = 0; i < ROUNDS; i++)
		run_round(d, f, &page, t, i);
	buf_free(&page);
}

/* What it costs when the page is compressed, as Prometheus asks for it. */
static void measure_gzip(struct bench_daemon *d)
{
	uint64_t wall[GZIP_ROUNDS], cpu[GZIP_ROUNDS];
	struct buf page = {0};

	d->gzip = true;
	for (size_t i = 0; i < GZIP_ROUNDS; i++) {
		uint64_t from = clock_monotonic_ns(), cpu_from = bench_daemon_cpu_ns(d);

		bench_daemon_scrape(d, &page);
		wall[i] = clock_monotonic_ns() - from;
		cpu[i] = bench_daemon_cpu_ns(d) - cpu_from;
	}
	printf("   \"gzip\": {\"wall_us\": %.0f, \"cpu_us\": %.0f, \"page_bytes\": %zu, "
	       "\"rss_after\": %lu}}",
	       bench_median_us(wall, GZIP_ROUNDS), bench_median_us(cpu, GZIP_ROUNDS), page.len,
	       bench_daemon_memory(d).rss);
	buf_free(&page);
}

static void print_case(const struct bench_case *c, const struct floor *f, struct times *t,
		       struct bench_memory before, struct bench_memory after)
{
	double wall = bench_median_us(t->wall, ROUNDS),
	       floor_wall = bench_median_us(t->floor_wall, ROUNDS);
	double cpu = bench_median_us(t->cpu, ROUNDS),
	       floor_cpu = bench_median_us(t->floor_cpu, ROUNDS);
	double first_byte = bench_median_us(t->first_byte, ROUNDS);

	printf("  {\"name\": \"%s\", \"help\": \"%s\", \"lines\": %zu, \"page_bytes\": %zu,\n"
	       "   \"wall_us\": %.0f, \"first_byte_us\": %.0f, \"floor_wall_us\": %.0f,\n"
	       "   \"cpu_us\": %.0f, \"floor_cpu_us\": %.0f,\n"
	       "   \"wall_ratio\": %.3f, \"cpu_ratio\": %.3f,\n"
	       "   \"rss_before\": %lu, \"rss_after\": %lu, \"rss_peak\": %lu,\n",
	       c->name, c->help, f->n_lines, f->page->len, wall, first_byte, floor_wall, cpu,
	       floor_cpu, wall / floor_wall, cpu / floor_cpu, before.rss, after.rss,
	       after.rss_peak);
}

static void run_case(const struct bench_case *c, const char *binary, const char *config_dir)
{
	const char *args[] = {"--module=", config_dir, "--config.names", c->config, NULL};
	struct bench_memory before;
	struct bench_daemon d;
	struct buf page = {0};
	struct times times;
	struct floor f;
	int map;

	bench_daemon_start(&d, binary, args, NULL, &page);
	before = bench_daemon_memory(&d);
	map = bench_daemon_map(&d, c->map);
	fill_map(map, c);
	bench_daemon_scrape(&d, &page);
	f = make_floor(map, c, &page);
	measure(&d, &f, &times);
	print_case(c, &f, &times, before, bench_daemon_memory(&d));
	measure_gzip(&d);
	free_floor(&f);
	buf_free(&page);
	fd_close(map);
	bench_daemon_stop(&d);
}

/* ---- allocations ---- */

/* Calls of malloc(3) and its kin in a scrape like those before it. */
static double count_allocations(const struct bench_case *c, const char *binary,
				const char *config_dir, const char *count_malloc)
{
	const char *args[] = {"--module=", config_dir, "--config.names", c->config, NULL};
	struct bench_daemon d;
	struct buf page = {0};
	uint64_t before = 0;
	int map;

	bench_daemon_start(&d, binary, args, count_malloc, &page);
	map = bench_daemon_map(&d, c->map);
	fill_map(map, c);
	for (int i = -WARM_UP; i < SETTLED; i++) {
		if (i == 0)
			before = bench_daemon_allocations(&d);
		bench_daemon_scrape(&d, &page);
	}
	before = bench_daemon_allocations(&d) - before;
	fd_close(map);
	buf_free(&page);
	bench_daemon_stop(&d);
	return (double)before / SETTLED;
}

static void run_all(const char *binary, const char *config_dir, const char *count_malloc)
{
	printf("{\"cases\": [\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		run_case(&cases[i], binary, config_dir);
		printf(i + 1 < ARRAY_SIZE(cases) ? ",\n" : "],\n");
	}
	printf(" \"allocations\": {");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		printf("%s\"%s\": %.1f", i ? ", " : "", cases[i].name,
		       count_allocations(&cases[i], binary, config_dir, count_malloc));
	printf("}}\n");
}

int main(int argc, char **argv)
{
	char binary[4096], config_dir[4096], count_malloc[4096];

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: scrape BUILD_DIR [CASE]\n");
		return 2;
	}
	snprintf(binary, sizeof(binary), "%s/wiregauge", argv[1]);
	snprintf(config_dir, sizeof(config_dir), "--config.dir=%s/bench", argv[1]);
	snprintf(count_malloc, sizeof(count_malloc), "%s/bench/libcount_malloc.so", argv[1]);
	if (argc == 2)
		run_all(binary, config_dir, count_malloc);
	for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(cases); i++) {
		if (STREQ(cases[i].name, argv[2]))
			run_case(&cases[i], binary, config_dir);
	}
	return 0;
}
