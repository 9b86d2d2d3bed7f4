// SPDX-License-Identifier: MIT
/*
 * What a scrape costs while others want something, too: several at once, and beside clients that
 * are slow.
 *
 *	crowd BUILD_DIR		prints JSON
 *
 * One daemon with 100,000 counters. A scrape alone and the crowd take turns, so that whatever else
 * the machine does meets both alike. Medians over the rounds, times in microseconds. The clients
 * take part in the CPU time that there is.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "daemon.h"
#include "scrape_maps.h"

enum {
	WARM_UP = 3,
	ROUNDS = 15,
	CROWD = 4,
	SLOW = 500,
	TRICKLE_MS = 20, /* between two bytes of one slow client */
};

struct client {
	pthread_t thread;
	pthread_barrier_t *start;
	int fd;
	bool gzip;
	struct buf page;
	uint64_t end_ns;
};

/* Clients that send their request byte by byte and never come to its end. */
struct slow {
	pthread_t thread;
	atomic_bool stop;
	int fds[SLOW];
};

static void fill_map(int fd)
{
	uint32_t count = COUNTERS_MAX;
	struct bench_key *keys = calloc(count, sizeof(*keys));
	uint64_t *values = calloc(count, sizeof(*values));

	if (!keys || !values)
		bench_fail("no memory");
	for (uint32_t i = 0; i < count; i++) {
		keys[i] = (struct bench_key){.connection = UINT64_C(1000000000000) + i * 7919ULL,
					     .last = 1 + i % STATES};
		values[i] = 1000000 + (uint64_t)i * 104729;
	}
	if (bpf_map_update_batch(fd, keys, values, &count, NULL))
		bench_fail("cannot fill the map: %s", strerror(errno));
	free(keys);
	free(values);
}

/* ---- several at once ---- */

static void *run_client(void *arg)
{
	struct client *c = arg;

	pthread_barrier_wait(c->start);
	bench_scrape(c->fd, c->gzip, &c->page);
	c->end_ns = clock_monotonic_ns();
	return NULL;
}

/* Until the last of @count has its whole page, ns. */
static uint64_t scrape_at_once(struct client *clients, unsigned count, bool gzip)
{
	pthread_barrier_t start;
	uint64_t from, last = 0;

	pthread_barrier_init(&start, NULL, count + 1);
	for (unsigned i = 0; i < count; i++) {
		clients[i].start = &start;
		clients[i].gzip = gzip;
		if (pthread_create(&clients[i].thread, NULL, run_client, &clients[i]))
			bench_fail("cannot start a thread");
	}
	from = clock_monotonic_ns();
	pthread_barrier_wait(&start);
	for (unsigned i = 0; i < count; i++) {
		pthread_join(clients[i].thread, NULL);
		last = MAX(last, clients[i].end_ns);
	}
	pthread_barrier_destroy(&start);
	return last - from;
}

static void measure_crowd(const char *name, struct client *clients, bool gzip)
{
	uint64_t alone[ROUNDS], together[ROUNDS];
	double one, all;

	for (int i = -WARM_UP; i < ROUNDS; i++) {
		int at = MAX(i, 0);

		alone[at] = scrape_at_once(clients, 1, gzip);
		together[at] = scrape_at_once(clients, CROWD, gzip);
	}
	one = bench_median_us(alone, ROUNDS);
	all = bench_median_us(together, ROUNDS);
	printf(" \"%s\": {\"one_us\": %.0f, \"together_us\": %.0f, \"ratio\": %.3f},\n", name, one,
	       all, all / one);
}

/* ---- beside slow clients ---- */

static void *trickle(void *arg)
{
	const struct timespec pause = {.tv_nsec = TRICKLE_MS * NSEC_PER_MSEC};
	static const char head[] = "GET /metrics HTTP/1.1\r\nX-Slow: ";
	struct slow *s = arg;

	for (size_t sent = 0; !s->stop; sent++) {
		const char *byte = sent < sizeof(head) - 1 ? &head[sent] : "x";

		/* Those that the daemon has closed meanwhile are none any more: it may. */
		for (size_t i = 0; i < SLOW; i++)
			send(s->fds[i], byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static unsigned count_open(const struct slow *s)
{
	unsigned n = 0;
	char byte;

	for (size_t i = 0; i < SLOW; i++)
		n += recv(s->fds[i], &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
	return n;
}

static void measure_beside_slow(const struct bench_daemon *d, struct client *client)
{
	uint64_t alone[ROUNDS], beside[ROUNDS];
	double one, crowded;
	unsigned left = 0;
	struct slow s;

	for (int i = 0; i < ROUNDS; i++)
		alone[i] = scrape_at_once(client, 1, false);
	s.stop = false;
	for (size_t i = 0; i < SLOW; i++)
		s.fds[i] = bench_daemon_connect(d);
	if (pthread_create(&s.thread, NULL, trickle, &s))
		bench_fail("cannot start a thread");
	for (int i = -WARM_UP; i < ROUNDS; i++)
		beside[MAX(i, 0)] = scrape_at_once(client, 1, false);
	left = count_open(&s);
	s.stop = true;
	pthread_join(s.thread, NULL);
	for (size_t i = 0; i < SLOW; i++)
		fd_close(s.fds[i]);
	one = bench_median_us(alone, ROUNDS);
	crowded = bench_median_us(beside, ROUNDS);
	printf(" \"slow\": {\"clients\": %d, \"still_open\": %u, \"alone_us\": %.0f, "
	       "\"beside_us\": %.0f, \"ratio\": %.3f},\n",
	       SLOW, left, one, crowded, crowded / one);
}

int main(int argc, char **argv)
{
	char binary[4096], config_dir[4096];
	const char *args[] = {"--module=", config_dir, "--config.names=bench_counters", NULL};
	struct client clients[CROWD] = {0};
	struct bench_daemon d;
	struct buf page = {0};

	if (argc != 2) {
		fprintf(stderr, "usage: crowd BUILD_DIR\n");
		return 2;
	}
	snprintf(binary, sizeof(binary), "%s/wiregauge", argv[1]);
	snprintf(config_dir, sizeof(config_dir), "--config.dir=%s/bench", argv[1]);
	bench_daemon_start(&d, binary, args, NULL, &page);
	fill_map(bench_daemon_map(&d, "counters_total"));
	for (size_t i = 0; i < CROWD; i++)
		clients[i].fd = bench_daemon_connect(&d);
	printf("{\"crowd\": %d,\n", CROWD);
	measure_crowd("text", clients, false);
	measure_crowd("gzip", clients, true);
	measure_beside_slow(&d, clients);
	printf(" \"rss\": %lu}\n", bench_daemon_memory(&d).rss);
	for (size_t i = 0; i < CROWD; i++) {
		fd_close(clients[i].fd);
		buf_free(&clients[i].page);
	}
	buf_free(&page);
	bench_daemon_stop(&d);
	return 0;
}
