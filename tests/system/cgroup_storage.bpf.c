/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The same by the storage that a cgroup itself carries (Linux 6.2). */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#define CGRP_STORAGE 32 /* BPF_MAP_TYPE_CGRP_STORAGE, newer than the headers */

struct cgroup;

struct css_set {
	struct cgroup *dfl_cgrp;
} __attribute__((preserve_access_index));

struct task_struct {
	struct css_set *cgroups;
} __attribute__((preserve_access_index));

struct {
	__uint(type, CGRP_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} chosen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} chosen_execs_total SEC(".maps");

SEC("tp_btf/sched_process_exec")
int count_chosen(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task_btf();
	__u64 *is_chosen, *count;
	__u32 zero = 0;

	(void)ctx;
	is_chosen = bpf_cgrp_storage_get(&chosen, task->cgroups->dfl_cgrp, 0, 0);
	count = bpf_map_lookup_elem(&chosen_execs_total, &zero);
	if (is_chosen && *is_chosen == 1 && count)
		__sync_fetch_and_add(count, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
