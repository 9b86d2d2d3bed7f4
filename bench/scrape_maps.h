/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What scrape.bpf.c, bench_*.yaml and scrape.c say of the maps.
 *
 *	0            8            12           16
 *	│ connection │ remote     │ state or   │
 *	│ u64        │ IPv4       │ bucket u32 │
 */
#pragma once

#include <linux/types.h>

#define COUNTERS_MAX   100000
#define PER_CPU_MAX    10000
#define HISTOGRAMS_MAX 1000
#define BUCKETS        27 /* bucket_min 0 … bucket_max 26; key 27 is the sum */
#define STATES         12 /* of TCP, 1 … 12 */

struct bench_key {
	__u64 connection;
	__u8 remote[4];
	__u32 last;
};

_Static_assert(sizeof(struct bench_key) == 16, "the key has no holes");
