// SPDX-License-Identifier: MIT
/*
 * What the daemon costs that nobody needs just now:
 *
 *	idle BUILD_DIR [SECONDS]	prints JSON
 *
 * How long it takes from exec to the end of the first scrape, and the memory then; the CPU time of
 * SECONDS (60) without a scrape, and of as many with one every fifteen, as Prometheus does. With
 * the default modules, on the interfaces of this network namespace.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "daemon.h"

enum {
	STARTS = 9,
	SCRAPE_EVERY_S = 15,
	DEFAULT_SECONDS = 60,
};

static const char *const no_arguments[] = {NULL};

static void measure_starts(const char *binary, struct buf *page)
{
	uint64_t ready[STARTS], cpu[STARTS];
	struct bench_memory memory = {0};
	double median;

	for (size_t i = 0; i < STARTS; i++) {
		struct bench_daemon d;

		bench_daemon_start(&d, binary, no_arguments, NULL, page);
		ready[i] = d.ready_ns;
		cpu[i] = bench_daemon_cpu_ns(&d);
		memory = bench_daemon_memory(&d);
		bench_daemon_stop(&d);
	}
	median = bench_median_us(ready, STARTS);
	printf("{\"starts\": %d, \"ready_us\": %.0f, \"ready_slowest_us\": %.0f, "
	       "\"ready_cpu_us\": %.0f,\n \"rss\": %lu, \"rss_peak\": %lu,\n",
	       STARTS, median, (double)ready[STARTS - 1] / 1e3, bench_median_us(cpu, STARTS),
	       memory.rss, memory.rss_peak);
}

/* Over a connection of its own: one that is silent for so long is closed. */
static void scrape_anew(const struct bench_daemon *d, struct buf *page)
{
	_cleanup_close_ int fd = bench_daemon_connect(d);

	bench_scrape(fd, true, page);
}

/* CPU time in ms of @seconds, with a scrape every @scrape_every of them (0: none). */
static double measure_idle(struct bench_daemon *d, unsigned seconds, unsigned scrape_every,
			   struct buf *page)
{
	const struct timespec second = {.tv_sec = 1};
	uint64_t before = bench_daemon_cpu_ns(d);

	for (unsigned i = 1; i <= seconds; i++) {
		nanosleep(&second, NULL);
		if (scrape_every && i % scrape_every == 0)
			scrape_anew(d, page);
	}
	return (double)(bench_daemon_cpu_ns(d) - before) / 1e6;
}

int main(int argc, char **argv)
{
	unsigned seconds = argc > 2 ? (unsigned)atoi(argv[2]) : DEFAULT_SECONDS;
	struct bench_daemon d;
	struct buf page = {0};
	char binary[4096];

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: idle BUILD_DIR [SECONDS]\n");
		return 2;
	}
	snprintf(binary, sizeof(binary), "%s/wiregauge", argv[1]);
	measure_starts(binary, &page);
	bench_daemon_start(&d, binary, no_arguments, NULL, &page);
	printf(" \"seconds\": %u, \"idle_cpu_ms\": %.3f, ", seconds,
	       measure_idle(&d, seconds, 0, &page));
	printf("\"scraped_cpu_ms\": %.3f, \"scrape_every\": %d,\n \"rss_after\": %lu}\n",
	       measure_idle(&d, seconds, SCRAPE_EVERY_S, &page), SCRAPE_EVERY_S,
	       bench_daemon_memory(&d).rss);
	bench_daemon_stop(&d);
	buf_free(&page);
	return 0;
}
