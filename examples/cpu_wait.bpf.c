/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* How long a task waits for a CPU, from being woken up until it runs, as a native histogram. */
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "histogram.bpf.h"
#include "kernel_types.bpf.h"

/* As in cpu_wait.yaml: 8 buckets from one power of two to the next, the last one ends at 32 s. */
enum { SCHEMA = 3, BUCKET_MAX = 35 * (1 << SCHEMA) + 1 };

struct key {
	__u32 bucket;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BUCKET_MAX + 2);
	__type(key, struct key);
	__type(value, __u64);
} cpu_wait_seconds SEC(".maps");

/* When a task was woken up, by its pid. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __u64);
} woken SEC(".maps");

SEC("tp_btf/sched_wakeup")
int BPF_PROG(sched_wakeup, struct task_struct *task)
{
	__u32 pid = (__u32)task->pid;
	__u64 now = bpf_ktime_get_ns();

	bpf_map_update_elem(&woken, &pid, &now, BPF_ANY);
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(sched_switch, bool preempt, struct task_struct *before, struct task_struct *after)
{
	__u32 pid = (__u32)after->pid;
	__u64 *since = bpf_map_lookup_elem(&woken, &pid);
	struct key key;

	if (!since)
		return 0;
	histogram_add_native(&cpu_wait_seconds, key,
			     histogram_scale_ns(bpf_ktime_get_ns() - *since), SCHEMA, 0,
			     BUCKET_MAX);
	bpf_map_delete_elem(&woken, &pid);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
