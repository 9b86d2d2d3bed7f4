/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the fault tests run beside the built-in modules. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "maps.bpf.h"

/* All of its entries are there: a page of megabytes, whose making and sending takes a while. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 40000);
	__type(key, __u32);
	__type(value, __u64);
} wide_total SEC(".maps");

/* Full after eight keys. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} narrow_total SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} execs_total SEC(".maps");

SEC("tp_btf/sched_process_exec")
int BPF_PROG(count_exec)
{
	__u32 zero = 0;

	map_add(&execs_total, &zero, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
