/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Connections: followed from their first change of state to the last. */
#pragma once

#include "tcp_totals.bpf.h"

static __always_inline struct tcp_connection *find(const struct sock *sk)
{
	__u64 address = (__u64)sk;

	return bpf_map_lookup_elem(&tcp_open, &address);
}

static __always_inline void forget(const struct sock *sk)
{
	__u64 address = (__u64)sk;

	bpf_map_delete_elem(&tcp_open, &address);
}

/* IPv4 addresses as IPv6 has them: ::ffff:a.b.c.d. */
static __always_inline void map_v4(struct in6_addr *to, __be32 address)
{
	to->s6_addr32[0] = to->s6_addr32[1] = 0;
	to->s6_addr32[2] = bpf_htonl(0xffff);
	to->s6_addr32[3] = address;
}

static __always_inline void copy_addresses(struct in6_addr *local, struct in6_addr *peer,
					   const struct sock_common *skc)
{
	if (BPF_CORE_READ(skc, skc_family) == AF_INET6) {
		BPF_CORE_READ_INTO(local, skc, skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(peer, skc, skc_v6_daddr);
	} else {
		map_v4(local, BPF_CORE_READ(skc, skc_rcv_saddr));
		map_v4(peer, BPF_CORE_READ(skc, skc_daddr));
	}
}

static __always_inline void copy_names(struct tcp_connection *c, const struct sock *sk)
{
	const struct sock_common *skc = &sk->__sk_common;

	copy_addresses(&c->local, &c->peer, skc);
	c->local_port = skc->skc_num;
	c->peer_port = bpf_ntohs(skc->skc_dport);
	c->netns = BPF_CORE_READ(skc, skc_net.net, ns.inum);
	c->cgroup = cgroup_id(sk);
}

/* For the table and the records of connections only. */
static __always_inline void copy_condition(struct tcp_connection *c, const struct tcp_sock *tp,
					   __u8 state)
{
	c->state = state;
	c->rtt_us = tp->srtt_us >> 3;
	c->min_rtt_us = tp->rtt_min.s[0].v;
	c->cwnd = tp->snd_cwnd;
	c->peer_window = tp->snd_wnd;
	c->send_queue = tp->write_seq - tp->snd_una;
	c->receive_queue = tp->rcv_nxt - tp->copied_seq;
	c->all_retransmitted = tp->total_retrans;
}

/* What the socket has so far is counted already, as of now. */
static __always_inline void begin_counting(struct tcp_connection *c, const struct tcp_sock *tp)
{
	c->opened_ns = bpf_ktime_get_ns();
	c->received = tp->bytes_received;
	c->acked = tp->bytes_acked;
	c->out_of_order = tp->rcv_ooopack;
	c->retransmitted = tp->total_retrans;
}

/* NULL: no room, which is counted. In place, as it is too large for the stack. */
static __always_inline struct tcp_connection *follow(const struct sock *sk,
						     const struct tcp_sock *tp, __u8 role)
{
	__u64 address = (__u64)sk;
	struct tcp_connection *c;
	__u32 zero = 0;

	bpf_map_update_elem(&tcp_open, &address, &no_connection, BPF_ANY);
	c = bpf_map_lookup_elem(&tcp_open, &address);
	if (!c) {
		map_add(&tcp_unfollowed_connections_total, &zero, 1);
		return NULL;
	}
	c->role = role;
	copy_names(c, sk);
	begin_counting(c, tp);
	return c;
}

/* One that was there before. */
static __always_inline struct tcp_connection *follow_older(const struct sock *sk,
							   const struct tcp_sock *tp)
{
	struct tcp_connection *c = follow(sk, tp, TCP_ROLE_UNKNOWN);

	if (c) {
		c->received_before = c->received;
		c->acked_before = c->acked;
	}
	return c;
}

/* Where this runs in the process whose connection it is. */
static __always_inline void note_process(struct tcp_connection *c)
{
	c->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(c->comm, sizeof(c->comm));
}

static __always_inline void begin_connecting(const struct sock *sk, const struct tcp_sock *tp)
{
	struct tcp_connection *c = follow(sk, tp, TCP_ROLE_CLIENT);

	if (!c)
		return;
	c->state = TCP_SYN_SENT;
	c->began_ns = c->opened_ns;
	note_process(c);
}

static __always_inline struct port port_of(const struct sock *sk)
{
	return (struct port){
		.net = BPF_CORE_READ(sk, __sk_common.skc_net.net),
		.number = sk->__sk_common.skc_num,
	};
}

/* Of the process that listens. */
static __always_inline void copy_owner(struct tcp_connection *c, const struct sock *sk)
{
	struct port port = port_of(sk);
	const struct owner *owner = bpf_map_lookup_elem(&tcp_owners, &port);

	if (!owner)
		return;
	c->pid = owner->pid;
	__builtin_memcpy(c->comm, owner->comm, sizeof(c->comm));
}

static __always_inline struct handshake handshake_of(const struct sock_common *skc)
{
	struct handshake h = {
		.net = BPF_CORE_READ(skc, skc_net.net),
		.peer_port = BPF_CORE_READ(skc, skc_dport),
		.local_port = BPF_CORE_READ(skc, skc_num),
	};

	copy_addresses(&h.local, &h.peer, skc);
	return h;
}

/* From the first SYN-ACK to its acknowledgement, in ns; 0: unknown, as with a SYN cookie. It is the
 * connection's first round trip, unless the SYN-ACK was sent again: then that is absent, or of the
 * last one, and total_retrans begins with their number. */
static __always_inline __u64 handshake_ns(const struct sock *sk, const struct tcp_sock *tp,
					  __u64 now)
{
	struct handshake h;
	__u64 *since_us;
	__u64 ns = 0;

	if (tp->srtt_us && !tp->total_retrans)
		return (__u64)(tp->srtt_us >> 3) * 1000;
	h = handshake_of(&sk->__sk_common);
	since_us = bpf_map_lookup_elem(&tcp_synacks, &h);
	if (!since_us)
		return 0;
	ns = now - *since_us * 1000;
	bpf_map_delete_elem(&tcp_synacks, &h);
	return ns;
}

static __always_inline void count_opened(const struct sock *sk, __u8 role, __u64 latency_ns)
{
	struct tcp_role_totals *totals = totals_of(sk, role);

	if (!totals)
		return;
	add(&totals->opened, 1);
	if (latency_ns)
		observe_latency(totals->connect, &totals->connect_sum, latency_ns);
}

static __always_inline void count_retransmitted(const struct sock *sk, const struct tcp_sock *tp,
						struct tcp_connection *c, __u8 type)
{
	__u32 total = tp->total_retrans;

	count(&tcp_retransmitted_segments_total, sk, type, 0, total - c->retransmitted);
	c->retransmitted = total;
}

static __always_inline void open_client(const struct sock *sk, const struct tcp_sock *tp,
					struct tcp_connection *c)
{
	__u64 now = bpf_ktime_get_ns();

	/* Not all of them were seen as they happened. */
	count_retransmitted(sk, tp, c, TCP_RETRANSMIT_SYN);
	c->opened_ns = now;
	copy_condition(c, tp, TCP_ESTABLISHED);
	copy_names(c, sk); /* when it began, it might have had no address yet */
	count_opened(sk, TCP_ROLE_CLIENT, c->began_ns ? now - c->began_ns : 0);
}

static __always_inline void open_server(const struct sock *sk, const struct tcp_sock *tp)
{
	struct tcp_connection *c = follow(sk, tp, TCP_ROLE_SERVER);

	count_opened(sk, TCP_ROLE_SERVER, handshake_ns(sk, tp, bpf_ktime_get_ns()));
	if (!c)
		return;
	copy_condition(c, tp, TCP_ESTABLISHED);
	copy_owner(c, sk);
}

static __always_inline void open_connection(const struct sock *sk, const struct tcp_sock *tp,
					    int from)
{
	struct tcp_connection *c = find(sk);

	if (c && c->role == TCP_ROLE_CLIENT) {
		open_client(sk, tp, c); /* also when both have sent a SYN */
	} else if (from == TCP_SYN_RECV) {
		open_server(sk, tp);
	} else { /* its SYN is older than we are */
		follow(sk, tp, TCP_ROLE_CLIENT);
		count_opened(sk, TCP_ROLE_CLIENT, 0);
	}
}

/* What the socket has carried since it was last looked at. */
static __always_inline void account(const struct sock *sk, const struct tcp_sock *tp,
				    struct tcp_connection *c)
{
	__u64 received = tp->bytes_received, acked = tp->bytes_acked;
	__u32 out_of_order = tp->rcv_ooopack;

	count(&tcp_bytes_total, sk, TCP_RECEIVED, 0, received - c->received);
	count(&tcp_bytes_total, sk, TCP_SENT, 0, acked - c->acked);
	count(&tcp_out_of_order_segments_total, sk, 0, 0, out_of_order - c->out_of_order);
	c->received = received;
	c->acked = acked;
	c->out_of_order = out_of_order;
}

/* It ended before it was established. Its error is why; none: the process gave up. */
static __always_inline void count_failed(const struct sock *sk, __u8 role)
{
	count(&tcp_failed_connections_total, sk, role, (__u16)sk->sk_err, 1);
}

static __always_inline void count_closed(const struct sock *sk, const struct tcp_sock *tp,
					 const struct tcp_connection *c, int from)
{
	struct tcp_role_totals *totals = totals_of(sk, c->role);
	__u32 min_rtt_us = tp->rtt_min.s[0].v;

	if (tcp_bytes_before_start) {
		count(&tcp_bytes_total, sk, TCP_RECEIVED, 0, c->received_before);
		count(&tcp_bytes_total, sk, TCP_SENT, 0, c->acked_before);
	}
	if (!totals)
		return;
	if (from == TCP_ESTABLISHED || from == TCP_CLOSE_WAIT)
		add(&totals->broken, 1);
	observe_duration(totals, bpf_ktime_get_ns() - c->opened_ns);
	if (min_rtt_us != ~0U) /* never measured */
		observe_latency(totals->min_rtt, &totals->min_rtt_sum, (__u64)min_rtt_us * 1000);
}

static __always_inline void send_record(const struct sock *sk, const struct tcp_sock *tp,
					struct tcp_connection *c, int from)
{
	copy_condition(c, tp, (__u8)from);
	c->error = (__u16)sk->sk_err;
	c->duration_ns = bpf_ktime_get_ns() - c->opened_ns;
	if (c->min_rtt_us == ~0U) /* never measured */
		c->min_rtt_us = 0;
	records_send(tcp_closed, c);
}

/* Its process closes it, or the last one that has it ends. */
static __always_inline void note_closing(const struct sock *sk)
{
	struct tcp_connection *c = find(sk);

	if (c)
		note_process(c);
}

static __always_inline void close_connection(const struct sock *sk, const struct tcp_sock *tp,
					     int from)
{
	struct tcp_connection *c = find(sk);

	if (!c)
		c = follow_older(sk, tp);
	if (!c)
		return;
	/* What is left here could not be sent: kernels before 6.16 do not tell of those. */
	count_retransmitted(sk, tp, c,
			    from == TCP_SYN_SENT ? TCP_RETRANSMIT_SYN : TCP_RETRANSMIT_RTO);
	account(sk, tp, c);
	if (from == TCP_SYN_SENT)
		count_failed(sk, TCP_ROLE_CLIENT);
	else if (from == TCP_SYN_RECV)
		count_failed(sk, c->role == TCP_ROLE_CLIENT ? c->role : TCP_ROLE_SERVER);
	else
		count_closed(sk, tp, c, from);
	if (records_wanted(tcp_closed))
		send_record(sk, tp, c, from);
	forget(sk);
}
