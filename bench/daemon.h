/* SPDX-License-Identifier: MIT */
/* The real daemon as the benchmarks run it, and an HTTP client that asks it. */
#pragma once

#include <err.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/buf.h"

struct bench_daemon {
	pid_t pid;
	clockid_t cpu_clock;
	uint16_t port;
	int fd;             /* the one connection, kept open */
	bool gzip;          /* ask for pages that are compressed */
	uint64_t ready_ns;  /* from before fork to the end of the first scrape */
	int allocations_fd; /* a page that counts malloc(3), or -1 */
};

struct bench_memory {
	uint64_t rss; /* bytes resident now */
	uint64_t rss_peak;
};

/*
 * Starts @binary with @args (NULL at the end) behind its own, at a port of its own, and takes a
 * first scrape into @page. It dies with the caller's thread. @count_malloc: a library to preload,
 * or NULL. The process ends with a message when anything fails.
 */
void bench_daemon_start(struct bench_daemon *d, const char *binary, const char *const *args,
			const char *count_malloc, struct buf *page);
void bench_daemon_stop(struct bench_daemon *d);

/* GET /metrics into @page, headers left out; gives back the nanoseconds until its first byte
 * came. */
uint64_t bench_daemon_scrape(struct bench_daemon *d, struct buf *page);

/* One more connection to it; the same scrape over that. */
int bench_daemon_connect(const struct bench_daemon *d);
uint64_t bench_scrape(int fd, bool gzip, struct buf *page);

/* CPU time used so far, all threads, user and system, ns. */
uint64_t bench_daemon_cpu_ns(const struct bench_daemon *d);

struct bench_memory bench_daemon_memory(const struct bench_daemon *d);

/* Calls of malloc, calloc and realloc so far. */
uint64_t bench_daemon_allocations(const struct bench_daemon *d);

/* A descriptor of the daemon's BPF map that the kernel calls @name (cut to 15 bytes). */
int bench_daemon_map(const struct bench_daemon *d, const char *name);

/* The median of @count times in ns, in microseconds; they get sorted. */
double bench_median_us(uint64_t *times, size_t count);

/* Says why, and ends. */
#define bench_fail(...) errx(1, __VA_ARGS__)
