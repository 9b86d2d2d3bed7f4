/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The stack: how old a packet is at each stage of the way in, and at the device on the way out. */
#pragma once

#include "latency_labels.bpf.h"

static __always_inline void fill_stack_key(const bool direct, const struct sighting *s,
					   struct latency_stack_key *key)
{
	*key = (struct latency_stack_key){
		.direction = s->direction,
		.stage = s->stage,
		.protocol = s->protocol,
		.ip_version = s->ip_version,
	};
	add_optional_labels(direct, s, key);
}

/*
 * Counts the time from @since to @now. Before 5.18 a timestamp does not say whose clock it is of;
 * those of the other clock are some 50 years off. What is negative is as much over an hour, as
 * is what a clock makes that is set between the two.
 */
static __always_inline void measure(const bool direct, const struct sighting *s, __u64 since,
				    __u64 now)
{
	struct latency_stack_key key;

	if (now - since >= AN_HOUR)
		return;
	fill_stack_key(direct, s, &key);
	ADD_LATENCY(&stack_latency_seconds, key, now - since);
}

/* A packet that came in has reached a stage; its protocol is known. */
static __always_inline int arrived(const bool direct, struct sighting *s)
{
	__u64 since = received_at(direct, s->skb);

	if (!since || since & sample_mask)
		return 0;
	s->ip_version = ip_version_of(READ(direct, s->skb, protocol));
	if (s->ip_version && is_wanted(direct, s))
		measure(direct, s, since, now_realtime());
	return 0;
}

/* The same where it is not. */
static __always_inline int arrived_below_transport(const bool direct, struct sighting *s)
{
	__u64 since = received_at(direct, s->skb);

	if (!since || since & sample_mask)
		return 0;
	s->ip_version = ip_version_of(READ(direct, s->skb, protocol));
	if (!s->ip_version)
		return 0;
	s->protocol = read_protocol(s->ip_version, s->network_header);
	if (is_wanted(direct, s))
		measure(direct, s, since, now_realtime());
	return 0;
}

/* The network header is not set yet: the packet begins with it. */
SEC("tp_btf/netif_receive_skb")
int BPF_PROG(receive_driver, struct sk_buff *skb)
{
	struct sighting s = {
		.skb = skb,
		.dev = skb->dev,
		.network_header = skb->data,
		.stage = LATENCY_DRIVER,
	};

	return arrived_below_transport(DIRECT, &s);
}

/* ip_rcv_core(skb, …) and ip6_rcv_core(skb, …): a packet begins its way through the IP layer. Lists
 * of packets go through them as well, unlike through ip_rcv(). */
static __always_inline int arrived_at_ip(const bool direct, struct sk_buff *skb)
{
	struct sighting s = {
		.skb = skb,
		.dev = READ(direct, skb, dev),
		.network_header = READ(direct, skb, data),
		.stage = LATENCY_IP,
	};

	return arrived_below_transport(direct, &s);
}

SEC("?fentry/ip_rcv_core")
int BPF_PROG(fentry_ip_rcv_core, struct sk_buff *skb)
{
	return arrived_at_ip(DIRECT, skb);
}

SEC("?fentry/ip6_rcv_core")
int BPF_PROG(fentry_ip6_rcv_core, struct sk_buff *skb)
{
	return arrived_at_ip(DIRECT, skb);
}

SEC("?kprobe/ip_rcv_core")
int BPF_KPROBE(kprobe_ip_rcv_core, struct sk_buff *skb)
{
	return arrived_at_ip(PROBED, skb);
}

SEC("?kprobe/ip6_rcv_core")
int BPF_KPROBE(kprobe_ip6_rcv_core, struct sk_buff *skb)
{
	return arrived_at_ip(PROBED, skb);
}

/* The first of PREROUTING: a few lines further. */
SEC("netfilter")
int netfilter_ip(struct bpf_nf_ctx *ctx)
{
	arrived_at_ip(DIRECT, ctx->skb);
	return NF_ACCEPT;
}

/* udp_rcv(skb) and udpv6_rcv(skb) */
static __always_inline int arrived_at_udp(const bool direct, struct sk_buff *skb)
{
	struct sighting s = {
		.skb = skb,
		.dev = READ(direct, skb, dev),
		.network_header = network_header_of(direct, skb),
		.stage = LATENCY_TRANSPORT,
		.protocol = IPPROTO_UDP,
	};

	return arrived(direct, &s);
}

SEC("?fentry/udp_rcv")
int BPF_PROG(fentry_udp_rcv, struct sk_buff *skb)
{
	return arrived_at_udp(DIRECT, skb);
}

SEC("?fentry/udpv6_rcv")
int BPF_PROG(fentry_udpv6_rcv, struct sk_buff *skb)
{
	return arrived_at_udp(DIRECT, skb);
}

SEC("?kprobe/udp_rcv")
int BPF_KPROBE(kprobe_udp_rcv, struct sk_buff *skb)
{
	return arrived_at_udp(PROBED, skb);
}

SEC("?kprobe/udpv6_rcv")
int BPF_KPROBE(kprobe_udpv6_rcv, struct sk_buff *skb)
{
	return arrived_at_udp(PROBED, skb);
}

/* The last of LOCAL_IN: the transport is next. */
SEC("netfilter")
int netfilter_udp(struct bpf_nf_ctx *ctx)
{
	struct sk_buff *skb = ctx->skb;
	__u8 ip_version = ip_version_of(skb->protocol);

	if (ip_version && read_protocol(ip_version, network_header_of(DIRECT, skb)) == IPPROTO_UDP)
		arrived_at_udp(DIRECT, skb);
	return NF_ACCEPT;
}

/* An established connection works on a segment; one that came while the program had the connection
 * locked has waited for that. */
SEC("tp_btf/tcp_probe")
int BPF_PROG(receive_transport_tcp, struct sock *sk, struct sk_buff *skb)
{
	struct sighting s = {
		.skb = skb,
		.sk = sk,
		.network_header = network_header_of(DIRECT, skb),
		.stage = LATENCY_TRANSPORT,
		.protocol = IPPROTO_TCP,
	};

	return arrived(DIRECT, &s);
}

static __always_inline bool is_tcp(const bool direct, struct sock *sk)
{
	return READ(direct, sk, sk_protocol) == IPPROTO_TCP &&
	       READ(direct, sk, sk_type) == SOCK_STREAM;
}

static __always_inline bool is_inet(const bool direct, struct sock *sk)
{
	__u16 family = READ(direct, sk, __sk_common.skc_family);

	return family == AF_INET || family == AF_INET6;
}

/* A socket tells its program that there is something to read: the last packet of its queue. */
SEC("tp_btf/sk_data_ready")
int BPF_PROG(receive_socket_queue, struct sock *sk)
{
	struct sighting s = {.sk = sk, .stage = LATENCY_SOCKET_QUEUE};

	if (!is_inet(DIRECT, sk))
		return 0;
	s.protocol = (__u8)sk->sk_protocol;
	if (s.protocol != IPPROTO_UDP && !is_tcp(DIRECT, sk))
		return 0;
	s.skb = sk->sk_receive_queue.prev;
	if ((void *)s.skb == (void *)&sk->sk_receive_queue)
		return 0;
	s.network_header = network_header_of(DIRECT, s.skb);
	return arrived(DIRECT, &s);
}

/* tcp_queue_rcv(sk, skb, …) and __udp_enqueue_schedule_skb(sk, skb) */
static __always_inline int queued_at_socket(const bool direct, struct sock *sk, struct sk_buff *skb,
					    __u8 protocol)
{
	struct sighting s = {
		.skb = skb,
		.sk = sk,
		.network_header = network_header_of(direct, skb),
		.stage = LATENCY_SOCKET_QUEUE,
		.protocol = protocol,
	};

	return arrived(direct, &s);
}

SEC("?fexit/tcp_queue_rcv")
int BPF_PROG(fexit_tcp_queue_rcv, struct sock *sk, struct sk_buff *skb)
{
	return queued_at_socket(DIRECT, sk, skb, IPPROTO_TCP);
}

SEC("?fexit/__udp_enqueue_schedule_skb")
int BPF_PROG(fexit_udp_enqueue, struct sock *sk, struct sk_buff *skb, int ret)
{
	return ret ? 0 : queued_at_socket(DIRECT, sk, skb, IPPROTO_UDP);
}

/* At their beginning: a return probe has no arguments. Datagrams that find the queue full count as
 * well. */
SEC("?kprobe/tcp_queue_rcv")
int BPF_KPROBE(kprobe_tcp_queue_rcv, struct sock *sk, struct sk_buff *skb)
{
	return queued_at_socket(PROBED, sk, skb, IPPROTO_TCP);
}

SEC("?kprobe/__udp_enqueue_schedule_skb")
int BPF_KPROBE(kprobe_udp_enqueue, struct sock *sk, struct sk_buff *skb)
{
	return queued_at_socket(PROBED, sk, skb, IPPROTO_UDP);
}

/* Copied out of a TCP socket's queue; other sockets use the same function. */
SEC("tp_btf/skb_copy_datagram_iovec")
int BPF_PROG(receive_socket_read_tcp, struct sk_buff *skb)
{
	struct sighting s = {
		.skb = skb,
		.sk = skb->sk,
		.stage = LATENCY_SOCKET_READ,
		.protocol = IPPROTO_TCP,
	};

	if (!s.sk || !is_inet(DIRECT, s.sk) || !is_tcp(DIRECT, s.sk))
		return 0;
	s.network_header = network_header_of(DIRECT, skb);
	return arrived(DIRECT, &s);
}

/* skb_consume_udp(sk, skb, …): a datagram was read. One that was only looked at (MSG_PEEK) has
 * another user still. */
static __always_inline int read_datagram(const bool direct, struct sock *sk, struct sk_buff *skb)
{
	struct sighting s = {
		.skb = skb,
		.sk = sk,
		.network_header = network_header_of(direct, skb),
		.stage = LATENCY_SOCKET_READ,
		.protocol = IPPROTO_UDP,
	};

	return READ(direct, skb, users.refs.counter) == 1 ? arrived(direct, &s) : 0;
}

SEC("?fentry/skb_consume_udp")
int BPF_PROG(fentry_skb_consume_udp, struct sock *sk, struct sk_buff *skb)
{
	return read_datagram(DIRECT, sk, skb);
}

SEC("?kprobe/skb_consume_udp")
int BPF_KPROBE(kprobe_skb_consume_udp, struct sock *sk, struct sk_buff *skb)
{
	return read_datagram(PROBED, sk, skb);
}

/*
 * Read from a UDP socket, where no tracepoint shows the packet: what stands first in the socket's
 * queue is noted, when it gets there, and is what the next read gets. With several readers of one
 * socket at once it may be another's.
 */
struct first_datagram {
	__u64 since; /* its receive timestamp; 0: there is none, or it says nothing */
	__u64 noted; /* CLOCK_MONOTONIC */
	struct latency_stack_key key;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct first_datagram);
} first_datagrams SEC(".maps");

/* The first packet in a UDP socket's queues: that of its readers, then that of the stack. */
static __always_inline struct sk_buff *first_in_queue(struct sock *sk)
{
	struct udp_sock *udp = (void *)sk;
	struct sk_buff *first = READ(PROBED, udp, reader_queue.next);

	if ((void *)first != (void *)&udp->reader_queue)
		return first;
	first = READ(PROBED, sk, sk_receive_queue.next);
	return (void *)first == (void *)&sk->sk_receive_queue ? NULL : first;
}

static __always_inline void note_first(struct sock *sk, struct first_datagram *to)
{
	struct sighting s = {
		.skb = first_in_queue(sk),
		.sk = sk,
		.stage = LATENCY_SOCKET_READ,
		.protocol = IPPROTO_UDP,
	};
	__u64 since;

	to->since = 0;
	if (!s.skb)
		return;
	since = received_at(PROBED, s.skb);
	s.ip_version = ip_version_of(READ(PROBED, s.skb, protocol));
	s.network_header = network_header_of(PROBED, s.skb);
	if (!since || since & sample_mask || !s.ip_version || !is_wanted(PROBED, &s))
		return;
	fill_stack_key(PROBED, &s, &to->key);
	to->since = since;
	to->noted = bpf_ktime_get_ns();
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(receive_socket_read_udp, struct sock *sk, int ret, int flags)
{
	struct first_datagram *first;
	__u64 ns;

	if (ret < 0 || flags & (MSG_PEEK | MSG_ERRQUEUE) || !is_inet(DIRECT, sk) ||
	    sk->sk_protocol != IPPROTO_UDP)
		return 0;
	first = bpf_sk_storage_get(&first_datagrams, sk, NULL, 0);
	if (!first)
		return 0;
	ns = now_realtime() - first->since;
	if (first->since && is_recent(first->noted, bpf_ktime_get_ns()) && ns < AN_HOUR)
		ADD_LATENCY(&stack_latency_seconds, first->key, ns);
	note_first(sk, first);
	return 0;
}

SEC("tp_btf/sk_data_ready")
int BPF_PROG(note_first_datagram, struct sock *sk)
{
	struct first_datagram *first;

	if (!is_inet(DIRECT, sk) || sk->sk_protocol != IPPROTO_UDP)
		return 0;
	first = bpf_sk_storage_get(&first_datagrams, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (first && !(first->since && is_recent(first->noted, bpf_ktime_get_ns())))
		note_first(sk, first);
	return 0;
}

/* ---- transmit: TCP notes in each packet when it is due to leave ---- */

SEC("tp_btf/net_dev_start_xmit")
int BPF_PROG(transmit_device, struct sk_buff *skb, struct net_device *dev)
{
	struct sighting s = {
		.skb = skb,
		.sk = skb->sk,
		.dev = dev,
		.direction = LATENCY_EGRESS,
		.stage = LATENCY_DEVICE,
		.ip_version = ip_version_of(skb->protocol),
	};
	__u64 since = skb->tstamp;

	if (!since || since & sample_mask || !s.ip_version)
		return 0;
	if ((bpf_core_field_exists(skb->tstamp_type) ||
	     bpf_core_field_exists(((struct sk_buff___mono *)skb)->mono_delivery_time)) &&
	    !is_transmit_time(DIRECT, skb))
		return 0;
	s.network_header = network_header_of(DIRECT, skb);
	s.protocol = read_protocol(s.ip_version, s.network_header);
	if (s.protocol == IPPROTO_TCP && is_wanted(DIRECT, &s))
		measure(DIRECT, &s, since, bpf_ktime_get_ns());
	return 0;
}
