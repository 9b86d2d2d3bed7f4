/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A map of 256 MB, which is all there from the start. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 32 << 20);
	__type(key, __u32);
	__type(value, __u64);
} large_total SEC(".maps");

char LICENSE[] SEC("license") = "Dual MIT/GPL";
