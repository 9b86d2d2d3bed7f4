// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "dropin.h"

/* events/sock/inet_sock_set_state/format */
struct inet_sock_set_state {
	__u64 common;
	const void *skaddr;
	__s32 oldstate;
	__s32 newstate;
	__u16 sport;
	__u16 dport;
	__u16 family;
	__u16 protocol;
	__u8 saddr[4];
	__u8 daddr[4];
	__u8 saddr_v6[16];
	__u8 daddr_v6[16];
};

struct state_key {
	__u8 address[16];
	__u16 port;
	__u8 family;
	__u8 pad;
	__u32 state;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct state_key);
	__type(value, __u64);
} tcp_states_total SEC(".maps");

SEC("tp/sock/inet_sock_set_state")
int set_state(struct inet_sock_set_state *ctx)
{
	struct state_key key = {
		.port = ctx->dport,
		.family = (__u8)ctx->family,
		.state = (__u32)ctx->newstate,
	};

	__builtin_memcpy(key.address, ctx->daddr_v6, sizeof(key.address));
	increment_map(&tcp_states_total, &key, 1);
	return 0;
}
