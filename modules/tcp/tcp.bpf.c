/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What becomes of TCP connections. Nothing here runs for each packet, but tcp_probe() where that is
 * asked for: connections are followed by their changes of state, and what the kernel counts for
 * each socket is taken over when metrics are read and when the connection ends.
 *
 *	SYN sent ──► tcp_open: when, who ──► established: latency ──► … ──► closed: all the rest
 *	                ▲
 *	iter/tcp ───────┘ at each scrape: what is new since the last, also of sockets that are older
 *	                  than this program
 *
 * Each socket's numbers are added as differences to what was counted of it before, which tcp_open
 * remembers; so the counters only grow, and nothing counts twice.
 */
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "events.bpf.h"
#include "histogram.bpf.h"
#include "kernel_types.bpf.h"
#include "maps.bpf.h"

#include "tcp.h"

/* include/net/tcp_states.h */
enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
	TCP_NEW_SYN_RECV,
	TCP_STATES,
};

enum {
	AF_INET6 = 10,
	ETH_P_IPV6 = 0x86dd,
	TCP_FLAGS_OFFSET = 13, /* RFC 9293, 3.1 */
	TCP_FLAG_RST = 0x04,
	TCP_CA_RECOVERY = 3,               /* include/uapi/linux/tcp.h */
	TCP_CA_LOSS = 4,                   /* likewise */
	ICSK_TIME_LOSS_PROBE = 5,          /* include/net/inet_connection_sock.h */
	TCP_INFINITE_SSTHRESH = 0x7fffffff /* include/net/tcp.h: no loss so far */
};

const volatile bool tcp_by_netns = false;
const volatile bool tcp_by_cgroup = false;
const volatile bool tcp_by_ip_version = false;
const volatile bool tcp_bytes_before_start = true;

/* Sockets that are followed, by their address. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 131072);
	__type(key, __u64);
	__type(value, struct tcp_connection);
} tcp_open SEC(".maps");

/* Connections that ended, for those who look. */
RECORDS(tcp_closed, 256 * 1024);

/* A listening socket, by its address. */
struct listener {
	__u32 drops; /* that have been counted */
	__u32 owed;  /* the last of them: may be overflows that the kernel counted a moment later */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct listener);
} tcp_listeners SEC(".maps");

/* When the first SYN-ACK of a handshake was sent, of those that were sent again: then the new
 * socket does not know. */
struct handshake {
	const struct net *net;
	struct in6_addr peer;
	struct in6_addr local;
	__be16 peer_port;
	__u16 local_port;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct handshake);
	__type(value, __u64); /* microseconds */
} tcp_synacks SEC(".maps");

#define TOTALS(name, kind, entries, type_of_value)                                                 \
	struct {                                                                                   \
		__uint(type, kind);                                                                \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                              \
		__uint(max_entries, entries);                                                      \
		__type(key, struct tcp_key);                                                       \
		__type(value, type_of_value);                                                      \
	} name SEC(".maps")

TOTALS(tcp_by_role, BPF_MAP_TYPE_HASH, 4096, struct tcp_role_totals);
TOTALS(tcp_failed_connections_total, BPF_MAP_TYPE_HASH, 4096, __u64); /* role, errno */
TOTALS(tcp_bytes_total, BPF_MAP_TYPE_HASH, 4096, __u64);              /* direction */
TOTALS(tcp_retransmitted_segments_total, BPF_MAP_TYPE_HASH, 8192, __u64);
TOTALS(tcp_resets_total, BPF_MAP_TYPE_HASH, 8192, __u64); /* direction, enum tcp_reset */
TOTALS(tcp_out_of_order_segments_total, BPF_MAP_TYPE_HASH, 4096, __u64);
TOTALS(tcp_windows, BPF_MAP_TYPE_HASH, 1024, struct tcp_window_totals);
TOTALS(tcp_rtt, BPF_MAP_TYPE_PERCPU_HASH, 1024, struct tcp_rtt_totals);
TOTALS(tcp_listening, BPF_MAP_TYPE_HASH, 16384, struct tcp_listen_totals);
TOTALS(tcp_connections, BPF_MAP_TYPE_HASH, 64, __u64); /* state */

/* Sockets by state and IP version (4, 6) while the iterator goes through them. */
struct states {
	__u64 count[TCP_STATES][2];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct states);
} tcp_counting SEC(".maps");

/* What the part in user space reads of the daemon's own namespace (tcp.c). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tcp_stack);
} tcp_stack SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tcp_told);
} tcp_told SEC(".maps");

/* Who listens at a port. */
struct port {
	const struct net *net;
	__u64 number;
};

struct owner {
	__u32 pid;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct port);
	__type(value, struct owner);
} tcp_owners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} tcp_unfollowed_connections_total SEC(".maps");

static const struct tcp_connection no_connection;
static const struct tcp_role_totals no_role_totals;
static const struct tcp_rtt_totals no_rtt_totals;
static const struct tcp_window_totals no_window_totals;
static const struct tcp_listen_totals no_listen_totals;

/* --- keys */

/* IPv4 in an IPv6 socket is IPv4: ::ffff:a.b.c.d. */
static __always_inline bool is_v4_mapped(const struct in6_addr *a)
{
	return !a->s6_addr32[0] && !a->s6_addr32[1] && a->s6_addr32[2] == bpf_htonl(0xffff);
}

static __always_inline __u8 ip_version(const struct sock_common *skc)
{
	struct in6_addr peer;

	if (BPF_CORE_READ(skc, skc_family) != AF_INET6)
		return 4;
	BPF_CORE_READ_INTO(&peer, skc, skc_v6_daddr);
	return is_v4_mapped(&peer) ? 4 : 6;
}

static __always_inline __u64 cgroup_id(const struct sock *sk)
{
	const struct sock_cgroup_data___tagged *tagged = (const void *)&sk->sk_cgrp_data;
	const struct cgroup *cgroup;
	__u64 value;

	if (bpf_core_field_exists(struct sock_cgroup_data, cgroup)) {
		cgroup = BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
	} else {
		value = BPF_CORE_READ(tagged, val);
		cgroup = value & 1 ? NULL : (const struct cgroup *)(value & ~3ULL);
	}
	return BPF_CORE_READ(cgroup, kn, id);
}

/* The labels that were asked for. BPF_CORE_READ throughout: where @sk comes from a tracepoint that
 * may give NULL, all of it is then 0. */
static __always_inline struct tcp_key key_of(const struct sock *sk, __u8 kind, __u16 detail)
{
	struct tcp_key key = {.kind = kind, .detail = detail};

	if (tcp_by_netns)
		key.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	if (tcp_by_ip_version)
		key.ip_version = ip_version(&sk->__sk_common);
	if (tcp_by_cgroup)
		key.cgroup = cgroup_id(sk);
	return key;
}

/* Of a packet that arrived. Its device, or where that is forgotten already, that of its route. */
static __always_inline __u32 netns_of(const struct sk_buff *skb)
{
	struct net_device *device = BPF_CORE_READ(skb, dev);
	struct dst_entry *route;

	if (!device) {
		route = (void *)(BPF_CORE_READ(skb, _skb_refdst) & ~1UL); /* SKB_DST_NOREF */
		device = BPF_CORE_READ(route, dev);
	}
	return BPF_CORE_READ(device, nd_net.net, ns.inum);
}

static __always_inline void count(void *map, const struct sock *sk, __u8 kind, __u16 detail,
				  __u64 amount)
{
	struct tcp_key key;

	if (!amount)
		return;
	key = key_of(sk, kind, detail);
	map_add(map, &key, amount);
}

/* --- histograms in values */

static __always_inline void add(__u64 *number, __u64 amount)
{
	__sync_fetch_and_add(number, amount);
}

static __always_inline void observe_latency(__u64 *buckets, __u64 *sum, __u64 ns)
{
	__u64 units = histogram_scale_ns(ns);
	__u32 bucket = histogram_native_bucket(units, TCP_LATENCY_SCHEMA, TCP_LATENCY_MIN,
					       TCP_LATENCY_MAX) -
		       TCP_LATENCY_MIN;

	if (bucket < TCP_LATENCY_BUCKETS) /* it is, but the verifier does not know */
		add(&buckets[bucket], 1);
	add(sum, units);
}

static __always_inline void observe_duration(struct tcp_role_totals *totals, __u64 ns)
{
	__u64 units = histogram_scale_ns(ns);
	__u32 bucket = histogram_native_bucket(units, TCP_DURATION_SCHEMA, TCP_DURATION_MIN,
					       TCP_DURATION_MAX) -
		       TCP_DURATION_MIN;

	if (bucket < TCP_DURATION_BUCKETS)
		add(&totals->duration[bucket], 1);
	add(&totals->duration_sum, units);
}

static __always_inline void observe_segments(__u64 *buckets, __u64 *sum, __u32 segments)
{
	__u32 bucket = histogram_exp2_bucket(segments, 0, TCP_WINDOW_MAX);

	if (bucket < TCP_WINDOW_BUCKETS)
		add(&buckets[bucket], 1);
	add(sum, segments);
}

static __always_inline struct tcp_role_totals *totals_of(const struct sock *sk, __u8 role)
{
	struct tcp_key key = key_of(sk, role, 0);

	return map_find_or_add(&tcp_by_role, &key, &no_role_totals);
}

/* --- connections */

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

static __always_inline void open_client(const struct sock *sk, const struct tcp_sock *tp,
					struct tcp_connection *c)
{
	__u64 now = bpf_ktime_get_ns();

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

static __always_inline void count_retransmitted(const struct sock *sk, const struct tcp_sock *tp,
						struct tcp_connection *c, __u8 type)
{
	__u32 total = tp->total_retrans;

	count(&tcp_retransmitted_segments_total, sk, type, 0, total - c->retransmitted);
	c->retransmitted = total;
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

/* --- listening sockets */

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

/* --- what happens */

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

/* --- a listening socket whose queue is full: as sk_acceptq_is_full() says, by the functions that
 * ask it, for a SYN and for the last part of a handshake */

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

/* --- packets that arrive: only where asked for */

SEC("tp_btf/tcp_probe")
int BPF_PROG(tcp_sample_rtt, const struct sock *sk)
{
	const struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);
	struct tcp_rtt_totals *totals;
	struct tcp_key key;

	if (!tp || !tp->srtt_us)
		return 0;
	key = key_of(sk, 0, 0);
	totals = map_find_or_add(&tcp_rtt, &key, &no_rtt_totals);
	if (totals)
		observe_latency(totals->rtt, &totals->sum, (__u64)(tp->srtt_us >> 3) * 1000);
	return 0;
}

/* --- the iterator */

static __always_inline struct states *counting(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&tcp_counting, &zero);
}

static __always_inline void count_state(const struct sock_common *skc, __u32 state)
{
	__u32 version = tcp_by_ip_version && ip_version(skc) == 6;
	struct states *states = counting();

	if (state == TCP_NEW_SYN_RECV) /* what is to become a socket; ss says the same */
		state = TCP_SYN_RECV;
	if (states && state < TCP_STATES)
		states->count[state][version]++;
}

static __always_inline void observe_windows(const struct sock *sk, const struct tcp_sock *tp)
{
	struct tcp_key key = key_of(sk, 0, 0);
	struct tcp_window_totals *totals = map_find_or_add(&tcp_windows, &key, &no_window_totals);
	__u32 ssthresh = tp->snd_ssthresh;

	if (!totals)
		return;
	observe_segments(totals->cwnd, &totals->cwnd_sum, tp->snd_cwnd);
	if (ssthresh < TCP_INFINITE_SSTHRESH)
		observe_segments(totals->ssthresh, &totals->ssthresh_sum, ssthresh);
}

static __always_inline void look_at(const struct sock *sk, const struct tcp_sock *tp, __u8 state)
{
	struct tcp_connection *c = find(sk);

	if (state == TCP_SYN_SENT)
		return;
	if (!c)
		c = follow_older(sk, tp);
	else
		account(sk, tp, c);
	if (c)
		copy_condition(c, tp, state);
	if (state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT) /* it may send */
		observe_windows(sk, tp);
}

static __always_inline void publish_state(struct states *states, __u32 state, __u32 netns)
{
	__u64 number = states->count[state][0];
	struct tcp_key key = {.netns = netns, .kind = (__u8)state};

	if (tcp_by_ip_version) {
		key.ip_version = 6;
		bpf_map_update_elem(&tcp_connections, &key, &states->count[state][1], BPF_ANY);
		key.ip_version = 4;
	}
	bpf_map_update_elem(&tcp_connections, &key, &number, BPF_ANY);
	states->count[state][0] = states->count[state][1] = 0;
}

static __always_inline void publish_states(void)
{
	/* The reader's, whose sockets these are. */
	struct task_struct *task = (void *)bpf_get_current_task();
	__u32 netns = tcp_by_netns ? BPF_CORE_READ(task, nsproxy, net_ns, ns.inum) : 0;
	struct states *states = counting();

	if (!states)
		return;
	for (__u32 state = TCP_ESTABLISHED; state < TCP_NEW_SYN_RECV; state++) {
		if (state != TCP_CLOSE) /* in no table of the kernel's */
			publish_state(states, state, netns);
	}
}

/* A connection without a socket: its handshake is not done, or it waits for its end. */
static __always_inline void count_minisocket(struct sock_common *skc)
{
	const struct tcp_timewait_sock *tw = (const void *)bpf_skc_to_tcp_timewait_sock(skc);

	count_state(skc, tw ? tw->tw_sk.tw_substate : skc->skc_state);
}

static __always_inline int visit(struct sock_common *skc)
{
	const struct tcp_sock *tp;
	__u8 state;

	if (!skc) {
		publish_states();
		settle_overflows();
		return 0;
	}
	tp = bpf_skc_to_tcp_sock(skc);
	if (!tp) {
		count_minisocket(skc);
		return 0;
	}
	state = skc->skc_state;
	count_state(skc, state);
	if (state == TCP_LISTEN)
		account_listener((const struct sock *)tp);
	else
		look_at((const struct sock *)tp, tp, state);
	return 0;
}

SEC("iter/tcp")
int tcp_sockets(struct bpf_iter__tcp *ctx)
{
	return visit(ctx->sk_common);
}

/* The same where overflows of listening sockets have no event. */
SEC("iter/tcp")
int tcp_sockets_share(struct bpf_iter__tcp *ctx)
{
	__u32 zero = 0;
	struct tcp_told *told = bpf_map_lookup_elem(&tcp_told, &zero);

	if (told)
		told->by_share = 1;
	return visit(ctx->sk_common);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
