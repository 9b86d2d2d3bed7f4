// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "dropin.h"

struct exec_event {
	__u64 cgroup;
	char command[16];
	__u32 uid;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} execs_total SEC(".maps");

SEC("raw_tp/sched_process_exec")
int sched_process_exec(struct bpf_raw_tracepoint_args *ctx)
{
	struct exec_event event = {
		.cgroup = bpf_get_current_cgroup_id(),
		.uid = (__u32)bpf_get_current_uid_gid(),
	};

	bpf_get_current_comm(event.command, sizeof(event.command));
	bpf_perf_event_output(ctx, &execs_total, BPF_F_CURRENT_CPU, &event, sizeof(event));
	return 0;
}
