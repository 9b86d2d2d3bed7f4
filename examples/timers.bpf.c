/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Counts kernel timers that are started, by the function that each will call. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "kernel_types.bpf.h"
#include "maps.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} timer_starts_total SEC(".maps");

SEC("tp_btf/timer_start")
int BPF_PROG(timer_start, struct timer_list *timer)
{
	__u64 function = (__u64)timer->function;

	map_add(&timer_starts_total, &function, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
