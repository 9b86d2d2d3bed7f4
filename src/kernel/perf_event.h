/* SPDX-License-Identifier: MIT */
/* Programs at perf events (perf_event_open(2)): one event for each CPU. */
#pragma once

#include <linux/perf_event.h>

#include "base/error.h"

/*
 * "type=hardware,config=cpu-cycles,frequency=99" or "type=1,config=0,sample_period=1000000": what
 * SEC("perf_event/…") says. Names are those of perf list; numbers may be decimal or hexadecimal.
 */
int perf_event_parse(const char *text, struct perf_event_attr *ret, struct error *e);

/* The number of the first CPU that is online and not below @cpu, or -ENOENT. */
int perf_event_next_cpu(int cpu);

/* Opens the event on @cpu and attaches. The descriptor's end is the attachment's. */
int perf_event_attach(const struct perf_event_attr *attr, int cpu, int prog_fd, struct error *e);
