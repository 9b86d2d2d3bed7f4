/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Maps and variables that the configs under tests/golden/check are held against. */
#include <linux/bpf.h>

#include <stdbool.h>

#include <bpf/bpf_helpers.h>

struct key {
	__u32 address;
	__u16 port;
	__u16 pad;
};

struct value {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, struct key);
	__type(value, __u64);
} plain SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} addresses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct value);
} pairs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} samples SEC(".maps");

const volatile __u8 small = 1;
const volatile char word[8] = "abc";

SEC("tc")
int look(struct __sk_buff *skb)
{
	return (int)skb->len + small + word[0];
}

SEC("?perf_event")
int sample(void *ctx)
{
	(void)ctx;
	return 0;
}

SEC("?iter/bpf_map_elem")
int each(void *ctx)
{
	(void)ctx;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
