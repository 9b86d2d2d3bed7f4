// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "dropin.h"
#include <asm/unistd.h>

/* Filled by the exporter with the cgroups that match. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} traced_cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} cgroup_lseeks_total SEC(".maps");

SEC("raw_tp/sys_enter")
int sys_enter(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 cgroup = bpf_get_current_cgroup_id();

	if (ctx->args[1] == __NR_lseek && bpf_map_lookup_elem(&traced_cgroups, &cgroup))
		increment_map(&cgroup_lseeks_total, &cgroup, 1);
	return 0;
}
