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

/* Sorts @values. */
double median(double *values, size_t count);
