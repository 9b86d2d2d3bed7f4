/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Maps that a table shows, without a program: a test writes into them. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

struct flow_key {
	__u8 source[16], destination[16];
	__u16 port;
	__u16 pad;
	__u32 ifindex;
};

struct flow {
	__u64 bytes, packets, first_ns, last_ns;
	char process[16];
};

struct delay {
	__u64 sum;
	__u64 buckets[40];
};

#define MAP(name, map_type, key_type, value_type, entries)                                         \
	struct {                                                                                   \
		__uint(type, map_type);                                                            \
		__uint(max_entries, entries);                                                      \
		__type(key, key_type);                                                             \
		__type(value, value_type);                                                         \
	} name SEC(".maps")

MAP(flow_table, BPF_MAP_TYPE_HASH, struct flow_key, struct flow, 300000);
MAP(cpu_flows_total, BPF_MAP_TYPE_PERCPU_HASH, __u32, __u64, 64);
MAP(delays, BPF_MAP_TYPE_HASH, __u32, struct delay, 64);

char LICENSE[] SEC("license") = "Dual MIT/GPL";
