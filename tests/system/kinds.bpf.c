/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Maps of all kinds that a config can show, without a program: a test writes into them. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

struct counter_key {
	__u32 kind;
	__u8 address[4];
};

struct bucket_key {
	__u32 device;
	__u32 bucket;
};

#define MAP(name, map_type, key_type)                                                              \
	struct {                                                                                   \
		__uint(type, map_type);                                                            \
		__uint(max_entries, 64);                                                           \
		__type(key, key_type);                                                             \
		__type(value, __u64);                                                              \
	} name SEC(".maps")

MAP(plain_total, BPF_MAP_TYPE_HASH, struct counter_key);
MAP(single_total, BPF_MAP_TYPE_ARRAY, __u32);
MAP(percpu_total, BPF_MAP_TYPE_PERCPU_HASH, __u32);
MAP(bycpu_total, BPF_MAP_TYPE_PERCPU_HASH, __u32);
MAP(lru_total, BPF_MAP_TYPE_LRU_PERCPU_HASH, __u32);
MAP(exp2_seconds, BPF_MAP_TYPE_HASH, struct bucket_key);
MAP(exp2zero_bytes, BPF_MAP_TYPE_HASH, __u32);
MAP(linear_bytes, BPF_MAP_TYPE_ARRAY, __u32);
MAP(fixed_bytes, BPF_MAP_TYPE_PERCPU_HASH, __u64);

char LICENSE[] SEC("license") = "Dual MIT/GPL";
