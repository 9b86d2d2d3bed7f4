/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Listening sockets, and what overflowed there. */
#pragma once

#include "tcp_totals.bpf.h"

static __always_inline void begin_listening(const struct sock *sk)
{
	__u64 address = (__u64)sk;
	struct listener listener = {.drops = (__u32)sk->sk_drops.counter};

	bpf_map_update_elem(&tcp_listeners, &address, &listener, BPF_ANY);
}

static __always_inline void note_listener(const struct sock *sk)
{
	struct owner owner = {.pid = bpf_get_current_pid_tgid() >> 32};
	struct port port = port_of(sk);

	bpf_get_current_comm(owner.comm, sizeof(owner.comm));
	bpf_map_update_elem(&tcp_owners, &port, &owner, BPF_ANY);
	begin_listening(sk);
}

/* How many of the namespace's overflows nobody has been told of, at most @most; they are told then.
 * Where the kernel does not say which listener they were of, those that dropped something since the
 * last look share them: right to the unit in sum, and in each port's share as long as nothing but a
 * full queue makes them drop. */
static __always_inline __u32 take_overflows(const struct sock *sk, __u32 most)
{
	__u32 zero = 0;
	struct tcp_stack *stack = bpf_map_lookup_elem(&tcp_stack, &zero);
	struct tcp_told *told = bpf_map_lookup_elem(&tcp_told, &zero);
	__u64 left;

	if (!stack || !told || !told->by_share ||
	    stack->netns != BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum))
		return 0;
	left = stack->listen_overflows - told->listen_overflows;
	if (left > most)
		left = most;
	told->listen_overflows += left;
	return (__u32)left;
}

static __always_inline void count_listener(const struct sock *sk, struct listener *l, __u32 drops)
{
	struct tcp_key key = key_of(sk, 0, sk->__sk_common.skc_num);
	struct tcp_listen_totals *totals = map_find_or_add(&tcp_listening, &key, &no_listen_totals);
	__u32 overflows = take_overflows(sk, drops + l->owed);
	__u32 rest = drops + l->owed - overflows;

	l->drops += drops;
	l->owed = rest < drops ? rest : drops;
	if (!totals)
		return;
	add(&totals->drops, drops);
	add(&totals->overflows, overflows);
}

/* What was left after the last look and still is: of listening sockets that ended, so that nobody
 * knows how many of their last drops were overflows. */
static __always_inline void settle_overflows(void)
{
	__u32 zero = 0;
	struct tcp_stack *stack = bpf_map_lookup_elem(&tcp_stack, &zero);
	struct tcp_told *told = bpf_map_lookup_elem(&tcp_told, &zero);
	struct tcp_listen_totals *totals;
	struct tcp_key other = {};
	__u64 left;

	if (!stack || !told || !told->by_share)
		return;
	left = stack->listen_overflows - told->listen_overflows;
	if (left && told->left) {
		if (tcp_by_netns)
			other.netns = stack->netns;
		totals = map_find_or_add(&tcp_listening, &other, &no_listen_totals);
		if (left > told->left)
			left = told->left;
		if (totals)
			add(&totals->overflows, left);
		told->listen_overflows += left;
	}
	told->left = stack->listen_overflows - told->listen_overflows;
}

static __always_inline void account_listener(const struct sock *sk)
{
	__u64 address = (__u64)sk;
	struct listener *l = bpf_map_lookup_elem(&tcp_listeners, &address);

	if (l)
		count_listener(sk, l, (__u32)sk->sk_drops.counter - l->drops);
	else
		begin_listening(sk);
}

static __always_inline void end_listening(const struct sock *sk)
{
	__u64 address = (__u64)sk;

	if (bpf_map_lookup_elem(&tcp_listeners, &address)) {
		account_listener(sk);
		bpf_map_delete_elem(&tcp_listeners, &address);
	}
}
