/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A listening socket whose queue is full: as sk_acceptq_is_full() says, by the functions that ask
 * it, for a SYN and for the last part of a handshake. */
#pragma once

#include "tcp_listener.bpf.h"

static __always_inline int count_overflow(const struct sock *listener)
{
	struct tcp_listen_totals *totals;
	struct tcp_key key;

	if (BPF_CORE_READ(listener, sk_ack_backlog) <= BPF_CORE_READ(listener, sk_max_ack_backlog))
		return 0;
	key = key_of(listener, 0, BPF_CORE_READ(listener, __sk_common.skc_num));
	totals = map_find_or_add(&tcp_listening, &key, &no_listen_totals);
	if (totals)
		add(&totals->overflows, 1);
	return 0;
}

SEC("fentry/tcp_conn_request")
int BPF_PROG(tcp_syn, void *own, void *family, const struct sock *listener)
{
	return count_overflow(listener);
}

SEC("fentry/tcp_v4_syn_recv_sock")
int BPF_PROG(tcp_handshake4, const struct sock *listener)
{
	return count_overflow(listener);
}

SEC("fentry/tcp_v6_syn_recv_sock")
int BPF_PROG(tcp_handshake6, const struct sock *listener, const struct sk_buff *skb)
{
	/* Those for a v4-mapped address go on to the other function. */
	return BPF_CORE_READ(skb, protocol) == bpf_htons(ETH_P_IPV6) ? count_overflow(listener) : 0;
}

SEC("kprobe/tcp_conn_request")
int BPF_KPROBE(tcp_syn_kprobe, void *own, void *family, const struct sock *listener)
{
	return count_overflow(listener);
}

SEC("kprobe/tcp_v4_syn_recv_sock")
int BPF_KPROBE(tcp_handshake4_kprobe, const struct sock *listener)
{
	return count_overflow(listener);
}

SEC("kprobe/tcp_v6_syn_recv_sock")
int BPF_KPROBE(tcp_handshake6_kprobe, const struct sock *listener, const struct sk_buff *skb)
{
	return BPF_CORE_READ(skb, protocol) == bpf_htons(ETH_P_IPV6) ? count_overflow(listener) : 0;
}
