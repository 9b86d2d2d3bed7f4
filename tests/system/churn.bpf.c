/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Maps in which keys come and go, without a program: test_churn.py and churner.py write. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, __u32);
	__type(value, __u64);
} ready_total SEC(".maps");

/* Entries are allocated one by one, so that an insert takes less of the lock and more of the memory
 * allocator. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u64);
} grown_total SEC(".maps");

char LICENSE[] SEC("license") = "Dual MIT/GPL";
