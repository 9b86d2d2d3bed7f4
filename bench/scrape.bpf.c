/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The maps of the scrape benchmark. No program: bench/scrape fills them. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "scrape_maps.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, COUNTERS_MAX);
	__type(key, struct bench_key);
	__type(value, __u64);
} counters_total SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, PER_CPU_MAX);
	__type(key, struct bench_key);
	__type(value, __u64);
} per_cpu_total SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, HISTOGRAMS_MAX *(BUCKETS + 1));
	__type(key, struct bench_key);
	__type(value, __u64);
} times_seconds SEC(".maps");

char LICENSE[] SEC("license") = "Dual MIT/GPL";
