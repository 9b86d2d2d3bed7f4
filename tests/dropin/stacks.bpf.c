// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "dropin.h"
#include <asm/unistd.h>

const volatile __u64 kaddr_do_syscall_64 = 0;
const volatile __u64 kaddr_schedule = 0;

enum { DEPTH = 8 };

struct stack_key {
	__u64 addresses[DEPTH];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct stack_key);
	__type(value, __u64);
} lseek_stacks_total SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u64);
	__type(value, __u64);
} known_addresses_total SEC(".maps");

SEC("raw_tp/sys_enter")
int sys_enter(struct bpf_raw_tracepoint_args *ctx)
{
	struct stack_key key = {0};
	__u64 address;

	if (ctx->args[1] != __NR_lseek || !is_ours())
		return 0;
	bpf_get_stack(ctx, key.addresses, sizeof(key.addresses), 0);
	increment_map(&lseek_stacks_total, &key, 1);
	address = kaddr_do_syscall_64;
	increment_map(&known_addresses_total, &address, 1);
	address = kaddr_schedule;
	increment_map(&known_addresses_total, &address, 1);
	address = 1;
	increment_map(&known_addresses_total, &address, 1);
	return 0;
}
