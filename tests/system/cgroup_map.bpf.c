/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Executed programs, of the cgroups that the daemon has put into a map only. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} chosen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} chosen_execs_total SEC(".maps");

SEC("raw_tp/sched_process_exec")
int count_chosen(void *ctx)
{
	__u64 id = bpf_get_current_cgroup_id(), *is_chosen, *count;
	__u32 zero = 0;

	(void)ctx;
	is_chosen = bpf_map_lookup_elem(&chosen, &id);
	count = bpf_map_lookup_elem(&chosen_execs_total, &zero);
	if (is_chosen && *is_chosen == 1 && count)
		__sync_fetch_and_add(count, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
