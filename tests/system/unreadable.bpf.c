/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A map that user space may not read, beside one that it may. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__uint(map_flags, BPF_F_WRONLY);
	__type(key, __u32);
	__type(value, __u64);
} unreadable_total SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} readable_total SEC(".maps");

char LICENSE[] SEC("license") = "Dual MIT/GPL";
