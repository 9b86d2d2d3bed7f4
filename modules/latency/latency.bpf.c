/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * How long packets take in this host's stack. The way in is measured from the receive timestamp,
 * which travels in the packet, the way out from TCP's transmit timestamp: so most of it needs no
 * state. See README.md for what each probe sees, and latency.h for the maps.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ptrace.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "histogram.bpf.h"
#include "kernel_types.bpf.h"
#include "maps.bpf.h"
#include "network.bpf.h"

#include "latency.h"

/* Where one program notes what another looks for, the other stands first: it is attached first and
 * detached last, so that nothing that was noted is missed. */

/* Packets whose timestamp has one of these bits are left out: 0 takes all, 7 one of 8. */
const volatile __u64 sample_mask = 0;

/* As the option has it: "2%". */
const volatile char sampling[16] = "always";

/* Leave out all but TCP and UDP with this port, if it is not 0. */
const volatile __u32 only_port = 0;

/* Leave out all that neither comes from there nor goes there, if it is named. */
const volatile __u32 only_network[NETWORK_WORDS] = {0};

/* Leave out what is of no interface, or another one: its number is in latency_clock. */
const volatile char only_interface[16] = "";

/* Leave out what is in another network namespace than the daemon. */
const volatile bool only_own_netns = false;

/* Opt-in labels: what is off costs nothing. */
const volatile bool by_interface = false;
const volatile bool by_netns = false;
const volatile bool by_cgroup = false;
const volatile bool by_network = false;
const volatile __u32 prefix4 = 24;
const volatile __u32 prefix6 = 64;

#define NSEC_PER_SEC 1000000000ULL
#define AN_HOUR      (3600 * NSEC_PER_SEC)

/* Slices last 200 ms (src/engine/slices.h), and attaching takes some; the gaps between them are
 * longer than that up to a share of 25 %. */
#define SLICE (NSEC_PER_SEC / 4)

/* Not in the headers for programs: <linux/socket.h>, <linux/net.h>, <linux/interrupt.h>. */
enum { AF_INET = 2, AF_INET6 = 10, SOCK_STREAM = 1, NET_TX_SOFTIRQ = 2, NET_RX_SOFTIRQ = 3 };
enum { MSG_PEEK = 0x2, MSG_ERRQUEUE = 0x2000 };

static __always_inline bool is_always(void)
{
	return sampling[0] == 'a';
}

/* ---- maps ---- */

/* Allocated beforehand: before 6.1 the kernel warns of programs at kprobes that allocate. */
#define HISTOGRAM_MAP(name, key_type, entries)                                                     \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_PERCPU_HASH);                                            \
		__uint(max_entries, entries);                                                      \
		__type(key, key_type);                                                             \
		__type(value, __u64);                                                              \
	} name SEC(".maps")

#define BUCKETS (LATENCY_BUCKET_MAX - LATENCY_BUCKET_MIN + 2)

HISTOGRAM_MAP(stack_latency_seconds, struct latency_stack_key, 8192);
HISTOGRAM_MAP(netfilter_latency_seconds, struct latency_netfilter_key, 10 * BUCKETS);
HISTOGRAM_MAP(softirq_wait_seconds, struct latency_softirq_key, 2 * BUCKETS);
HISTOGRAM_MAP(softirq_run_seconds, struct latency_softirq_key, 2 * BUCKETS);
HISTOGRAM_MAP(qdisc_latency_seconds, struct latency_qdisc_key, 4096);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct latency_clock);
} latency_clock SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} latency_lost SEC(".maps");

static __always_inline void count_lost(void)
{
	__u32 zero = 0;
	__u64 *lost = bpf_map_lookup_elem(&latency_lost, &zero);

	if (lost)
		__sync_fetch_and_add(lost, 1);
}

/* map_add() where programs in tasks and in interrupts meet on one CPU. */
#define ADD_LATENCY(map, key, ns)                                                                  \
	do {                                                                                       \
		__u64 units_ = histogram_scale_ns(ns);                                             \
		(key).bucket = histogram_native_bucket(units_, LATENCY_SCHEMA, LATENCY_BUCKET_MIN, \
						       LATENCY_BUCKET_MAX);                        \
		if (!map_add((map), &(key), 1))                                                    \
			count_lost();                                                              \
		(key).bucket = LATENCY_BUCKET_MAX + 1;                                             \
		map_add((map), &(key), units_);                                                    \
	} while (0)

/* ---- reading the kernel's structs ---- */

/*
 * A field of what @p points to. @direct, a constant: the verifier knows the type of @p, as it does
 * of the arguments of tp_btf, fentry and netfilter programs, and the field is loaded; else a helper
 * reads it.
 */
#define READ(direct, p, field)                                                                     \
	({                                                                                         \
		typeof((p)->field) value_ = {0};                                                   \
		if (direct)                                                                        \
			value_ = (p)->field;                                                       \
		else                                                                               \
			bpf_probe_read_kernel(&value_, sizeof(value_), &(p)->field);               \
		value_;                                                                            \
	})

enum { PROBED = false, DIRECT = true };

/* Whether the packet's timestamp says when it is to leave or has left, and not when it came. */
static __always_inline bool is_transmit_time(const bool direct, struct sk_buff *skb)
{
	struct sk_buff___mono *mono = (void *)skb;

	if (bpf_core_field_exists(skb->tstamp_type))
		return direct ? BPF_CORE_READ_BITFIELD(skb, tstamp_type)
			      : BPF_CORE_READ_BITFIELD_PROBED(skb, tstamp_type);
	if (bpf_core_field_exists(mono->mono_delivery_time))
		return direct ? BPF_CORE_READ_BITFIELD(mono, mono_delivery_time)
			      : BPF_CORE_READ_BITFIELD_PROBED(mono, mono_delivery_time);
	/* Before 5.18 both are a number and no more; see below. */
	return false;
}

/* When the packet was received, by CLOCK_REALTIME; 0 where it does not say so. */
static __always_inline __u64 received_at(const bool direct, struct sk_buff *skb)
{
	__u64 tstamp = READ(direct, skb, tstamp);

	return is_transmit_time(direct, skb) ? 0 : tstamp;
}

/*
 * The clock of receive timestamps, now. There is no helper for CLOCK_REALTIME: it is made of
 * CLOCK_TAI (since 6.1), which stays right when somebody sets the clock, else of CLOCK_MONOTONIC.
 */
static __always_inline __u64 now_realtime(void)
{
	__u32 zero = 0;
	const struct latency_clock *clock = bpf_map_lookup_elem(&latency_clock, &zero);

	if (!clock || !clock->valid)
		return 0;
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_ktime_get_tai_ns))
		return bpf_ktime_get_tai_ns() - clock->tai;
	return bpf_ktime_get_ns() + clock->realtime;
}

/*
 * Whether what was noted at @since is one end of something of which the other is seen at @now
 * (CLOCK_MONOTONIC). Programs that are attached in slices of time may have missed other ends
 * since; what is older than a slice is of another one.
 */
static __always_inline bool is_recent(__u64 since, __u64 now)
{
	return is_always() || now - since < SLICE;
}

/* ---- labels ---- */

static __always_inline __u32 netns_of(const bool direct, struct net *net)
{
	return net ? READ(direct, net, ns.inum) : 0;
}

static __always_inline __u32 netns_of_device(const bool direct, struct net_device *dev)
{
	return netns_of(direct, READ(direct, dev, nd_net.net));
}

static __always_inline __u32 netns_of_socket(const bool direct, struct sock *sk)
{
	return netns_of(direct, READ(direct, sk, __sk_common.skc_net.net));
}

static __always_inline __u64 cgroup_of(const bool direct, struct sock *sk)
{
	struct cgroup *cgroup = READ(direct, sk, sk_cgrp_data.cgroup);
	struct kernfs_node *node;

	if (!cgroup)
		return 0;
	node = READ(direct, cgroup, kn);
	return node ? READ(direct, node, id) : 0;
}

static __always_inline bool is_own_netns(__u32 netns)
{
	__u32 zero = 0;
	const struct latency_clock *clock = bpf_map_lookup_elem(&latency_clock, &zero);

	return clock && clock->netns == netns;
}

/* Whether the option `interface` is there, as what is behind it costs nothing otherwise. */
static __always_inline bool is_one_interface(void)
{
	return only_interface[0];
}

/* Whether @ifindex is what that option names; other namespaces have interfaces of that number. */
static __always_inline bool is_that_interface(__u32 ifindex)
{
	__u32 zero = 0;
	const struct latency_clock *clock = bpf_map_lookup_elem(&latency_clock, &zero);

	return clock && ifindex && clock->interface == ifindex;
}

/* Whether a packet comes from the network that the option `address` names, or goes there. */
static __always_inline bool is_of_network(__u8 ip_version, const void *network_header)
{
	__u32 addresses[8] = {0};

	if (ip_version == 4) {
		bpf_probe_read_kernel(addresses, 8, network_header + 12);
		return network_has(only_network, 4, addresses) ||
		       network_has(only_network, 4, addresses + 1);
	}
	bpf_probe_read_kernel(addresses, 32, network_header + 8);
	return network_has(only_network, 6, addresses) ||
	       network_has(only_network, 6, addresses + 4);
}

/* Clears all but the first @bits. */
static __always_inline void mask_address(struct latency_address *address, __u32 bits)
{
	for (__u32 i = 0; i < sizeof(address->bytes); i++) {
		__u32 left = bits > i * 8 ? bits - i * 8 : 0;

		if (left < 8)
			address->bytes[i] &= (__u8)(0xff00 >> left);
	}
}

/* What one packet is, at one place. */
struct sighting {
	struct sk_buff *skb;
	struct sock *sk;        /* NULL: not known yet, or no more */
	struct net_device *dev; /* NULL: likewise */
	const void *network_header;
	__u8 direction;
	__u8 stage;
	__u8 protocol;
	__u8 ip_version;
};

/* The peer's address, out of the packet: the source of what came in. */
static __always_inline void read_network(const struct sighting *s, struct latency_address *to)
{
	bool in = s->direction == LATENCY_INGRESS;

	if (s->ip_version == 4) {
		to->bytes[10] = to->bytes[11] = 0xff;
		bpf_probe_read_kernel(&to->bytes[12], 4, s->network_header + (in ? 12 : 16));
		mask_address(to, 96 + prefix4);
	} else {
		bpf_probe_read_kernel(to->bytes, 16, s->network_header + (in ? 8 : 24));
		mask_address(to, prefix6);
	}
}

/* 0 where it is not known. */
static __always_inline __u32 netns_of_sighting(const bool direct, const struct sighting *s)
{
	if (s->dev)
		return netns_of_device(direct, s->dev);
	return s->sk ? netns_of_socket(direct, s->sk) : 0;
}

/* Behind the IP layer packets do not know their device, but by which they came. */
static __always_inline __u32 ifindex_of_sighting(const bool direct, const struct sighting *s)
{
	return s->dev ? READ(direct, s->dev, ifindex) : READ(direct, s->skb, skb_iif);
}

static __always_inline bool has_port(const struct sighting *s)
{
	__be16 port = bpf_htons((__u16)only_port), ports[2] = {0};
	__u32 len = 40;
	__u8 first = 0;

	if (s->protocol != IPPROTO_TCP && s->protocol != IPPROTO_UDP)
		return false;
	if (s->ip_version == 4) {
		bpf_probe_read_kernel(&first, 1, s->network_header);
		len = (first & 15) * 4;
	}
	bpf_probe_read_kernel(ports, sizeof(ports), s->network_header + len);
	return ports[0] == port || ports[1] == port;
}

static __always_inline bool is_wanted(const bool direct, const struct sighting *s)
{
	if ((only_own_netns || is_one_interface()) && !is_own_netns(netns_of_sighting(direct, s)))
		return false;
	if (is_one_interface() && !is_that_interface(ifindex_of_sighting(direct, s)))
		return false;
	if (only_network[0] && !is_of_network(s->ip_version, s->network_header))
		return false;
	return !only_port || has_port(s);
}

static __always_inline void add_optional_labels(const bool direct, const struct sighting *s,
						struct latency_stack_key *key)
{
	__u32 netns = by_interface || by_netns ? netns_of_sighting(direct, s) : 0;

	/* Other namespaces have interfaces of the same number. */
	if (by_interface)
		key->interface = is_own_netns(netns) ? ifindex_of_sighting(direct, s) : 0;
	if (by_netns)
		key->netns = netns;
	if (by_cgroup && s->sk)
		key->cgroup = cgroup_of(direct, s->sk);
	if (by_network && s->network_header)
		read_network(s, &key->network);
}

/* ---- what the headers say ---- */

static __always_inline __u8 ip_version_of(__be16 ethertype)
{
	if (ethertype == bpf_htons(ETH_P_IP))
		return 4;
	return ethertype == bpf_htons(ETH_P_IPV6) ? 6 : 0;
}

static __always_inline const void *network_header_of(const bool direct, struct sk_buff *skb)
{
	return READ(direct, skb, head) + READ(direct, skb, network_header);
}

/* Of the protocols that have a name here; all others are 0, so that nobody can make 256 of them.
 * Extension headers of IPv6 are not looked behind. */
static __always_inline __u8 read_protocol(__u8 ip_version, const void *network_header)
{
	__u8 protocol = 0;

	bpf_probe_read_kernel(&protocol, 1, network_header + (ip_version == 4 ? 9 : 6));
	if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP)
		return protocol;
	return protocol == (ip_version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) ? protocol : 0;
}

/* ---- the stack: how old a packet is ---- */

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

enum { NF_ACCEPT = 1 };

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

/* ---- netfilter: what a hook's chains cost a packet ---- */

/*
 * Packets in the chains that this CPU works on, and since when. They go through them on one CPU and
 * without a pause, so that few places are enough: direct-mapped by what is the same at both ends,
 * and a packet whose place was taken by another is not counted.
 */
struct passage {
	__u64 id; /* address of the packet, or of the call's frame; 0: nobody */
	__u64 since;
	struct latency_netfilter_key key;
};

enum { PASSAGES = 16, PASSAGE_ALIGNMENT_LOG2 = 8 };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PASSAGES);
	__type(key, __u32);
	__type(value, struct passage);
} netfilter_passages SEC(".maps");

static __always_inline struct passage *passage_of(__u64 id)
{
	__u32 place = (id >> PASSAGE_ALIGNMENT_LOG2) % PASSAGES;

	return bpf_map_lookup_elem(&netfilter_passages, &place);
}

/* A hook has a device that the packet came by, one that it leaves by, or both. */
static __always_inline bool is_hook_of_interface(const bool direct, struct nf_hook_state *state)
{
	struct net_device *in = READ(direct, state, in), *out = READ(direct, state, out);

	return (in && is_that_interface(READ(direct, in, ifindex))) ||
	       (out && is_that_interface(READ(direct, out, ifindex)));
}

static __always_inline bool is_hook_wanted(const bool direct, struct sk_buff *skb,
					   struct nf_hook_state *state, __u32 netns)
{
	__u8 ip_version = READ(direct, state, pf) == AF_INET ? 4 : 6;

	if ((only_own_netns || is_one_interface()) && !is_own_netns(netns))
		return false;
	if (is_one_interface() && !is_hook_of_interface(direct, state))
		return false;
	return !only_network[0] || is_of_network(ip_version, network_header_of(direct, skb));
}

static __always_inline void enter_netfilter(const bool direct, __u64 id, struct sk_buff *skb,
					    struct nf_hook_state *state)
{
	struct passage *passage = passage_of(id);
	__u8 family = READ(direct, state, pf);
	__u32 netns = 0;

	/* Bridges, ARP and devices have hooks as well. */
	if (!passage || (family != AF_INET && family != AF_INET6))
		return;
	if (by_netns || only_own_netns || is_one_interface())
		netns = netns_of(direct, READ(direct, state, net));
	if (!is_hook_wanted(direct, skb, state, netns)) {
		passage->id = 0; /* of another that was not seen to leave */
		return;
	}
	passage->id = id;
	passage->key = (struct latency_netfilter_key){
		.hook = READ(direct, state, hook),
		.ip_version = family == AF_INET ? 4 : 6,
		.netns = by_netns ? netns : 0,
	};
	passage->since = bpf_ktime_get_ns();
}

/* Nobody stays on a CPU for a second: that is another's passage, of which the end was not seen. */
static __always_inline void leave_netfilter(__u64 id)
{
	__u64 now = bpf_ktime_get_ns();
	struct passage *passage = passage_of(id);
	struct latency_netfilter_key key;

	if (!passage || passage->id != id)
		return;
	passage->id = 0;
	key = passage->key;
	if (is_recent(passage->since, now) && now - passage->since < NSEC_PER_SEC)
		ADD_LATENCY(&netfilter_latency_seconds, key, now - passage->since);
}

/*
 * nf_hook_slow(skb, state, …) is the walk through a hook's chains, and is not called where there
 * are none. Packets that end there count as well.
 */
SEC("?fexit/nf_hook_slow")
int BPF_PROG(fexit_nf_hook_slow, struct sk_buff *skb)
{
	leave_netfilter((__u64)skb);
	return 0;
}

SEC("?fentry/nf_hook_slow")
int BPF_PROG(fentry_nf_hook_slow, struct sk_buff *skb, struct nf_hook_state *state)
{
	enter_netfilter(DIRECT, (__u64)skb, skb, state);
	return 0;
}

/* At a return probe there are no arguments any more, but the stack pointer is that of the call, or
 * one address above where the return address was on the stack. */
#ifdef bpf_target_x86
enum { RETURN_ADDRESS_SIZE = 8 };
#else
enum { RETURN_ADDRESS_SIZE = 0 };
#endif

SEC("?kretprobe/nf_hook_slow")
int kretprobe_nf_hook_slow(struct pt_regs *ctx)
{
	leave_netfilter(PT_REGS_SP(ctx) - RETURN_ADDRESS_SIZE);
	return 0;
}

SEC("?kprobe/nf_hook_slow")
int BPF_KPROBE(kprobe_nf_hook_slow, struct sk_buff *skb, struct nf_hook_state *state)
{
	enter_netfilter(PROBED, PT_REGS_SP(ctx), skb, state);
	return 0;
}

/* The first and the last of a hook: packets that end between are not counted, and one that later
 * has the address of such a one enters first. */
SEC("netfilter")
int netfilter_first(struct bpf_nf_ctx *ctx)
{
	enter_netfilter(DIRECT, (__u64)ctx->skb, ctx->skb, ctx->state);
	return NF_ACCEPT;
}

SEC("netfilter")
int netfilter_last(struct bpf_nf_ctx *ctx)
{
	leave_netfilter((__u64)ctx->skb);
	return NF_ACCEPT;
}

/* ---- softirqs ---- */

/* When a vector was raised and when its handler began, on this CPU; 0: not. */
struct softirq {
	__u64 raised;
	__u64 entered;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NR_SOFTIRQS);
	__type(key, __u32);
	__type(value, struct softirq);
} softirqs SEC(".maps");

static __always_inline struct softirq *network_softirq(__u32 vector)
{
	if (vector != NET_RX_SOFTIRQ && vector != NET_TX_SOFTIRQ)
		return NULL;
	return bpf_map_lookup_elem(&softirqs, &vector);
}

SEC("tp_btf/softirq_exit")
int BPF_PROG(softirq_exit, __u32 vector)
{
	struct latency_softirq_key key = {.vector = (__u8)vector};
	struct softirq *softirq = network_softirq(vector);
	__u64 now = bpf_ktime_get_ns();
	__u64 entered;

	if (!softirq || !softirq->entered)
		return 0;
	entered = softirq->entered;
	softirq->entered = 0;
	if (is_recent(entered, now))
		ADD_LATENCY(&softirq_run_seconds, key, now - entered);
	return 0;
}

SEC("tp_btf/softirq_entry")
int BPF_PROG(softirq_entry, __u32 vector)
{
	struct latency_softirq_key key = {.vector = (__u8)vector};
	struct softirq *softirq = network_softirq(vector);
	__u64 waited;
	bool recent;

	if (!softirq)
		return 0;
	softirq->entered = bpf_ktime_get_ns();
	if (!softirq->raised)
		return 0;
	recent = is_recent(softirq->raised, softirq->entered);
	waited = softirq->entered - softirq->raised;
	softirq->raised = 0;
	if (recent)
		ADD_LATENCY(&softirq_wait_seconds, key, waited);
	return 0;
}

SEC("tp_btf/softirq_raise")
int BPF_PROG(softirq_raise, __u32 vector)
{
	struct softirq *softirq = network_softirq(vector);
	__u64 now = bpf_ktime_get_ns();

	/* Again while it waits: the first time counts. */
	if (softirq && !(softirq->raised && is_recent(softirq->raised, now)))
		softirq->raised = now;
	return 0;
}

/* ---- queueing disciplines ---- */

/*
 * When packets were queued. A packet that TCP has given a transmit timestamp is known by that, as
 * are the segments that some disciplines cut it into (tbf, netem, cake); any other by its address.
 * A timestamp does not come again, and one day its entry is the oldest and goes. An address does:
 * what is dropped inside takes its entry along, and what is cut into segments without a timestamp
 * is longer than they are, one of which may have its address.
 */
struct queued_packet {
	__u64 since;
	__u32 len;
	__u32 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct queued_packet);
} queued SEC(".maps");

enum { BULK_MAX = 16 }; /* packets that a qdisc hands over at once; of more the rest is not seen */

static __always_inline __u64 identity_of(struct sk_buff *skb)
{
	return skb->tstamp ? skb->tstamp : (__u64)skb;
}

static __always_inline bool is_queued_of_network(struct sk_buff *skb)
{
	__u8 ip_version = ip_version_of(skb->protocol);

	return ip_version && is_of_network(ip_version, network_header_of(DIRECT, skb));
}

static __always_inline void note_queued(struct sk_buff *skb)
{
	__u64 identity = identity_of(skb);
	struct queued_packet packet = {.len = skb->len};

	if (only_network[0] && !is_queued_of_network(skb))
		return;
	packet.since = bpf_ktime_get_ns();
	bpf_map_update_elem(&queued, &identity, &packet, BPF_ANY);
}

static __always_inline void count_dequeued(struct sk_buff *skb, struct latency_qdisc_key *key,
					   __u64 now)
{
	__u64 identity = identity_of(skb);
	const struct queued_packet *found = bpf_map_lookup_elem(&queued, &identity);
	struct queued_packet packet;

	if (!found || (only_network[0] && !is_queued_of_network(skb)))
		return;
	packet = *found;
	if (identity == (__u64)skb) {
		bpf_map_delete_elem(&queued, &identity);
		if (packet.len != skb->len)
			return;
	}
	if (is_recent(packet.since, now) && now - packet.since < AN_HOUR)
		ADD_LATENCY(&qdisc_latency_seconds, *key, now - packet.since);
}

/* Dropped, maybe inside a qdisc; its address is free for another. */
SEC("tp_btf/kfree_skb")
int BPF_PROG(qdisc_drop, struct sk_buff *skb)
{
	__u64 identity = (__u64)skb;

	if (bpf_map_lookup_elem(&queued, &identity))
		bpf_map_delete_elem(&queued, &identity);
	return 0;
}

SEC("tp_btf/qdisc_dequeue")
int BPF_PROG(qdisc_dequeue, struct Qdisc *qdisc, struct netdev_queue *queue, int packets,
	     struct sk_buff *skb)
{
	struct latency_qdisc_key key = {0};
	struct net_device *dev = queue->dev;
	__u64 now = bpf_ktime_get_ns();
	__u32 netns;

	if (!skb)
		return 0;
	bpf_probe_read_kernel(key.kind, sizeof(key.kind), qdisc->ops->id);
	netns = netns_of_device(DIRECT, dev);
	if ((only_own_netns || is_one_interface()) && !is_own_netns(netns))
		return 0;
	if (is_one_interface() && !is_that_interface(dev->ifindex))
		return 0;
	key.netns = by_netns ? netns : 0;
	key.interface = by_interface && is_own_netns(netns) ? dev->ifindex : 0;
	for (int i = 0; i < BULK_MAX && skb; i++) {
		count_dequeued(skb, &key, now);
		skb = skb->next;
	}
	return 0;
}

SEC("tp_btf/qdisc_enqueue")
int BPF_PROG(qdisc_enqueue, struct Qdisc *qdisc, struct netdev_queue *queue, struct sk_buff *skb)
{
	note_queued(skb);
	return 0;
}

/* Before qdisc_enqueue (5.14) from a little before, and also of packets that no qdisc takes: the
 * next to have their address is noted anew. */
SEC("tp_btf/net_dev_queue")
int BPF_PROG(net_dev_queue, struct sk_buff *skb)
{
	note_queued(skb);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
