/* SPDX-License-Identifier: MIT */
/* BPF programs run by BPF_PROG_TEST_RUN, and how long they take. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
	PROG_RUN_REPEAT = 200000, /* runs in a round, some ten milliseconds */
	PROG_RUN_ROUNDS = 15,
};

/*
 * Nanoseconds that @fd takes for a packet of @len @bytes: the CPU time of this thread, in which the
 * kernel runs the program, so that a busy machine does not count. The kernel's own figure is of
 * wall time, and in whole nanoseconds. The process ends if the program does not give @verdict.
 */
double prog_run_ns(int fd, const void *bytes, size_t len, int verdict);

/* A program and one that does nothing, run just before it, each round. */
struct prog_run_pair {
	double bare[PROG_RUN_ROUNDS];
	double with[PROG_RUN_ROUNDS];
};

/*
 * What the program takes over the other: the median of the differences in that half of the rounds
 * in which the other was fastest. The core below a virtual CPU has other work at times, and then
 * everything takes half as long again, for seconds.
 */
double prog_run_over(const struct prog_run_pair *pair);

/* Sorts @values. */
double median(double *values, size_t count);
