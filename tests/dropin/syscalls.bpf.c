// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "dropin.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} syscalls_total SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} syscall_errors_total SEC(".maps");

SEC("raw_tp/sys_enter")
int sys_enter(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 number = ctx->args[1];

	if (is_ours())
		increment_map(&syscalls_total, &number, 1);
	return 0;
}

SEC("raw_tp/sys_exit")
int sys_exit(struct bpf_raw_tracepoint_args *ctx)
{
	long result = (long)ctx->args[1];
	__u32 error = (__u32)-result;

	if (is_ours() && result < 0 && result > -4096)
		increment_map(&syscall_errors_total, &error, 1);
	return 0;
}
