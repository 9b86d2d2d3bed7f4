/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Changes of state, and what is sent again. */
#pragma once

#include "tcp_connection.bpf.h"
#include "tcp_listener.bpf.h"

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(tcp_state, const struct sock *sk, int from, int to)
{
	const struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);

	if (!tp)
		return 0;
	if (to == TCP_SYN_SENT)
		begin_connecting(sk, tp);
	else if (to == TCP_ESTABLISHED)
		open_connection(sk, tp, from);
	else if (to == TCP_LISTEN)
		note_listener(sk);
	else if (to == TCP_FIN_WAIT1 || to == TCP_LAST_ACK)
		note_closing(sk);
	else if (to == TCP_CLOSE && from == TCP_LISTEN)
		end_listening(sk);
	else if (to == TCP_CLOSE && from != TCP_CLOSE)
		close_connection(sk, tp, from);
	return 0;
}

/*
 * The same once more, for what the first did not see: since Linux 6.2 the kernel does not run a
 * program while it runs on that CPU already, as when packets arrive while a process connects; all
 * changes of state that they make would be lost. It is another program, so it runs then; and it
 * comes second, so what the first has done it finds done.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(tcp_state_missed, const struct sock *sk, int from, int to)
{
	const struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);
	const struct tcp_connection *c;

	if (!tp || (to != TCP_ESTABLISHED && to != TCP_CLOSE))
		return 0;
	c = find(sk);
	if (to == TCP_ESTABLISHED && !(c && c->state == TCP_ESTABLISHED))
		open_connection(sk, tp, from);
	else if (to == TCP_CLOSE && c)
		close_connection(sk, tp, from);
	return 0;
}

/* Why it is sent again. A tail loss probe goes out while its timer is pending; in recovery that may
 * be pending as well, and in loss all is since the retransmission timer went off. */
static __always_inline __u8 retransmission_type(const struct sock *sk, const struct tcp_sock *tp)
{
	__u8 congestion = BPF_CORE_READ_BITFIELD(&tp->inet_conn, icsk_ca_state);

	if (sk->__sk_common.skc_state == TCP_SYN_SENT)
		return TCP_RETRANSMIT_SYN;
	if (congestion == TCP_CA_LOSS)
		return TCP_RETRANSMIT_RTO;
	if (congestion != TCP_CA_RECOVERY && tp->inet_conn.icsk_pending == ICSK_TIME_LOSS_PROBE)
		return TCP_RETRANSMIT_TLP;
	return TCP_RETRANSMIT_FAST;
}

/*
 * The socket's own count is what is added, as TcpRetransSegs has it: it includes what could not be
 * sent, of which Linux before 6.16 has no event. Of a socket that was not seen before, this event
 * is the first: its segments are what it counts.
 */
SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(tcp_retransmit, const struct sock *sk, const struct sk_buff *skb)
{
	const struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);
	struct tcp_connection *c = find(sk);
	const struct tcp_skb_cb *control = (const void *)&skb->cb;

	if (!tp)
		return 0;
	if (!c) {
		c = follow_older(sk, tp);
		if (!c)
			return 0;
		c->retransmitted -= BPF_CORE_READ(control, tcp_gso_segs);
	}
	count_retransmitted(sk, tp, c, retransmission_type(sk, tp));
	return 0;
}

SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(tcp_retransmit_answer, const struct sock *sk, const struct request_sock *request)
{
	const struct tcp_request_sock *own = (const void *)request;
	struct handshake h = handshake_of(&request->__req_common);
	__u64 since_us = BPF_CORE_READ(own, snt_synack);

	count(&tcp_retransmitted_segments_total, sk, TCP_RETRANSMIT_SYNACK, 0, 1);
	bpf_map_update_elem(&tcp_synacks, &h, &since_us, BPF_NOEXIST);
	return 0;
}
