/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Counts programs that are started, by the name of the program and by the container it runs in. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "maps.bpf.h"

struct key {
	__u64 cgroup;
	char command[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct key);
	__type(value, __u64);
} program_starts_total SEC(".maps");

SEC("raw_tp/sched_process_exec")
int program_start(void *ctx)
{
	struct key key = {.cgroup = bpf_get_current_cgroup_id()};

	bpf_get_current_comm(key.command, sizeof(key.command));
	map_add(&program_starts_total, &key, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
