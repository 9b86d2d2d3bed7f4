/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Keys that only the kernel can tell: the cgroup of who executes a program. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#define MAP(name, key_type)                                                                        \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_HASH);                                                   \
		__uint(max_entries, 1024);                                                         \
		__type(key, key_type);                                                             \
		__type(value, __u64);                                                              \
	} name SEC(".maps")

MAP(execs_total, __u64);
MAP(number_total, __u32); /* a test writes into it */

SEC("raw_tp/sched_process_exec")
int count_exec(void *ctx)
{
	__u64 id = bpf_get_current_cgroup_id(), one = 1, *count;

	(void)ctx;
	count = bpf_map_lookup_elem(&execs_total, &id);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&execs_total, &id, &one, BPF_NOEXIST);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
