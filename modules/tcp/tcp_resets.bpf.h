/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Resets, received and sent, with their reasons where the kernel has some. */
#pragma once

#include "tcp_connection.bpf.h"

/* What tcp_reset() tells the process. */
static __always_inline __u16 reset_meaning(const struct sock *sk)
{
	__u8 state = sk->__sk_common.skc_state;

	if (state == TCP_SYN_SENT)
		return TCP_RESET_REFUSED;
	return state == TCP_CLOSE_WAIT ? TCP_RESET_BROKEN_PIPE : TCP_RESET_RESET;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(tcp_reset_received, const struct sock *sk)
{
	count(&tcp_resets_total, sk, TCP_RECEIVED, reset_meaning(sk), 1);
	return 0;
}

/*
 * A reset may be about no socket at all, or one of a connection that is over: then its namespace is
 * that of the packet which it answers. Kernels 6.10 … 6.12 believe that @sk is never NULL, and drop
 * the check of it: so nothing that key_of() does follows it without a helper.
 */
static __always_inline struct tcp_key key_of_reset(const struct sock *sk, const struct sk_buff *skb,
						   __u16 reason)
{
	struct tcp_key key = {.kind = TCP_SENT, .detail = reason};

	if (sk)
		key = key_of(sk, TCP_SENT, reason);
	if (skb && tcp_by_netns && !key.netns)
		key.netns = netns_of(skb);
	if (skb && tcp_by_ip_version && (!sk || !BPF_CORE_READ(sk, __sk_common.skc_family)))
		key.ip_version = BPF_CORE_READ(skb, protocol) == bpf_htons(ETH_P_IPV6) ? 6 : 4;
	return key;
}

static __always_inline int count_reset(const struct sock *sk, const struct sk_buff *skb,
				       __u16 reason)
{
	struct tcp_key key = key_of_reset(sk, skb, reason);

	map_add(&tcp_resets_total, &key, 1);
	return 0;
}

/* From Linux 6.10 on, of all resets and with a reason. */
SEC("tp_btf/tcp_send_reset")
int BPF_PROG(tcp_reset_sent, const struct sock *sk, const struct sk_buff *skb, __u32 reason)
{
	return count_reset(sk, skb, (__u16)reason);
}

/* Before, of resets that a connection sends. */
SEC("tp_btf/tcp_send_reset")
int BPF_PROG(tcp_reset_by_socket, const struct sock *sk, const struct sk_buff *skb)
{
	return count_reset(sk, skb, TCP_RESET_NOT_SPECIFIED);
}

/* The functions that send one, for kernels whose tracepoint does not tell of all. These two look at
 * this first: nobody answers a reset with a reset. */
static __always_inline int answer_with_reset(const struct sock *sk, const struct sk_buff *skb)
{
	const unsigned char *head = BPF_CORE_READ(skb, head);
	__u8 flags = TCP_FLAG_RST;

	bpf_probe_read_kernel(&flags, sizeof(flags),
			      head + BPF_CORE_READ(skb, transport_header) + TCP_FLAGS_OFFSET);
	return flags & TCP_FLAG_RST ? 0 : count_reset(sk, skb, TCP_RESET_NOT_SPECIFIED);
}

SEC("fentry/tcp_v4_send_reset")
int BPF_PROG(tcp_answer4, const struct sock *sk, const struct sk_buff *skb)
{
	return answer_with_reset(sk, skb);
}

SEC("fentry/tcp_v6_send_reset")
int BPF_PROG(tcp_answer6, const struct sock *sk, const struct sk_buff *skb)
{
	return answer_with_reset(sk, skb);
}

SEC("fentry/tcp_send_active_reset")
int BPF_PROG(tcp_abort, const struct sock *sk)
{
	return count_reset(sk, NULL, TCP_RESET_NOT_SPECIFIED);
}

SEC("kprobe/tcp_v4_send_reset")
int BPF_KPROBE(tcp_answer4_kprobe, const struct sock *sk, const struct sk_buff *skb)
{
	return answer_with_reset(sk, skb);
}

SEC("kprobe/tcp_v6_send_reset")
int BPF_KPROBE(tcp_answer6_kprobe, const struct sock *sk, const struct sk_buff *skb)
{
	return answer_with_reset(sk, skb);
}

SEC("kprobe/tcp_send_active_reset")
int BPF_KPROBE(tcp_abort_kprobe, const struct sock *sk)
{
	return count_reset(sk, NULL, TCP_RESET_NOT_SPECIFIED);
}
