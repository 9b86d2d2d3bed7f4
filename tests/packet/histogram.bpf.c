/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What histogram.bpf.h computes, for tests: in a packet program and in one that traces. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include "histogram.bpf.h"

#define BUCKET_MAX 100 /* of the maps; test_histogram.py has it too */

struct key {
	__u32 label;
	__u32 bucket;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1000);
	__type(key, struct key);
	__type(value, __u64);
} histogram SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1000);
	__type(key, struct key);
	__type(value, __u64);
} percpu_histogram SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} scaled SEC(".maps");

/* The schema is a constant where a program uses it. */
static __always_inline int native_index(__u64 value, __u32 schema)
{
	switch (schema) {
	case 0:
		return histogram_native_index(value, 0);
	case 1:
		return histogram_native_index(value, 1);
	case 2:
		return histogram_native_index(value, 2);
	case 3:
		return histogram_native_index(value, 3);
	case 4:
		return histogram_native_index(value, 4);
	case 5:
		return histogram_native_index(value, 5);
	}
	return -1;
}

static __always_inline __u64 value_of(const struct __sk_buff *skb)
{
	return (__u64)skb->cb[1] << 32 | skb->cb[0];
}

SEC("tc")
int packet_index(struct __sk_buff *skb)
{
	return native_index(value_of(skb), skb->cb[2]);
}

SEC("raw_tp/sched_switch")
int traced_index(struct bpf_raw_tracepoint_args *ctx)
{
	return native_index(ctx->args[0], ctx->args[1]);
}

SEC("tc")
int log2_up(struct __sk_buff *skb)
{
	return histogram_log2_up(value_of(skb));
}

SEC("tc")
int scale(struct __sk_buff *skb)
{
	__u64 units = histogram_scale_ns(value_of(skb));
	__u32 zero = 0;

	bpf_map_update_elem(&scaled, &zero, &units, BPF_ANY);
	return TC_ACT_OK;
}

SEC("tc")
int count(struct __sk_buff *skb)
{
	struct key key = {.label = 7};

	histogram_add_native(&histogram, key, value_of(skb), 3, 4, BUCKET_MAX);
	histogram_add_native_percpu(&percpu_histogram, key, value_of(skb), 3, 4, BUCKET_MAX);
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual MIT/GPL";
