/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What is to outlive the daemon: each frame is counted, under the version of the program that saw
 * it, and what user space has put into maps of several kinds is only there.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

const volatile __u32 version = 1;
const volatile bool broken = false; /* no verifier takes what it does then */

/* Frames by version. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} frames_total SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} learnt SEC(".maps");

struct prefix {
	__u32 bits;
	__u32 address;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 64);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u64);
} prefixes SEC(".maps");

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct inner);
} nested SEC(".maps");

/* User space's alone while it runs. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} seen SEC(".maps");

static __always_inline int count(void)
{
	__u32 key = version;
	__u64 *frames = bpf_map_lookup_elem(&frames_total, &key);

	if (frames)
		(*frames)++;
	return XDP_DROP;
}

SEC("?xdp")
int persist(struct xdp_md *xdp)
{
	struct prefix prefix = {.bits = 32};
	__u32 key = 0;

	if (broken)
		return *(volatile __u64 *)(long)xdp->data;
	if (bpf_map_lookup_elem(&prefixes, &prefix) && bpf_map_lookup_elem(&nested, &key) &&
	    bpf_map_lookup_elem(&learnt, &key))
		bpf_ringbuf_output(&seen, &key, sizeof(key), 0);
	return count();
}

/* With it a test sends as many frames as the machine can. */
SEC("?xdp")
int transmit(struct xdp_md *xdp)
{
	(void)xdp;
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
