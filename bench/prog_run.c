// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>

#include "daemon.h"
#include "prog_run.h"

double prog_run_ns(int fd, const void *bytes, size_t len, int verdict)
{
	struct bpf_test_run_opts options = {
		.sz = sizeof(options),
		.data_in = bytes,
		.data_size_in = (uint32_t)len,
		.repeat = PROG_RUN_REPEAT,
	};
	struct timespec from, to;
	int err;

	do {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
		err = bpf_prog_test_run_opts(fd, &options);
	} while (err == -EINTR);
	if (err < 0)
		bench_fail("BPF_PROG_TEST_RUN: %s", strerror(-err));
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	if ((int)options.retval != verdict)
		bench_fail("a program gave %d back", (int)options.retval);
	return ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) /
	       PROG_RUN_REPEAT;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

double prog_run_over(const struct prog_run_pair *pair)
{
	double sorted[PROG_RUN_ROUNDS], over[PROG_RUN_ROUNDS] = {0}, usual;
	size_t count = 0;

	memcpy(sorted, pair->bare, sizeof(sorted));
	usual = median(sorted, PROG_RUN_ROUNDS);
	for (size_t round = 0; round < PROG_RUN_ROUNDS; round++) {
		if (pair->bare[round] <= usual)
			over[count++] = pair->with[round] - pair->bare[round];
	}
	return median(over, count);
}
