/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* How long a softirq waits from when it is raised until its handler runs, on the same CPU. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "histogram.bpf.h"
#include "kernel_types.bpf.h"

/* 2^10 ns ≈ 1 µs … 2^30 ns ≈ 1 s, as in softirq_latency.yaml. */
enum { BUCKET_MIN = 10, BUCKET_MAX = 30, KEYS = NR_SOFTIRQS * (BUCKET_MAX - BUCKET_MIN + 2) };

struct key {
	__u32 vector;
	__u32 bucket;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, KEYS);
	__type(key, struct key);
	__type(value, __u64);
} softirq_latency_seconds SEC(".maps");

/* When each vector was raised; 0 = it is not waiting. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NR_SOFTIRQS);
	__type(key, __u32);
	__type(value, __u64);
} raised SEC(".maps");

SEC("tp_btf/softirq_raise")
int BPF_PROG(softirq_raise, __u32 vector)
{
	__u64 *since = bpf_map_lookup_elem(&raised, &vector);

	if (since && *since == 0) /* raised again while it waits: the first time counts */
		*since = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/softirq_entry")
int BPF_PROG(softirq_entry, __u32 vector)
{
	__u64 *since = bpf_map_lookup_elem(&raised, &vector);
	struct key key = {.vector = vector};
	__u64 waited;

	if (!since || *since == 0)
		return 0;
	waited = bpf_ktime_get_ns() - *since;
	*since = 0;
	histogram_add_exp2_percpu(&softirq_latency_seconds, key, waited, BUCKET_MIN, BUCKET_MAX);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
