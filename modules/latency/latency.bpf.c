/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * How long packets take in this host's stack. The way in is measured from the receive timestamp,
 * which travels in the packet, the way out from TCP's transmit timestamp: so most of it needs no
 * state. See README.md for what each probe sees, and latency.h for the maps.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "histogram.bpf.h"
#include "kernel_types.bpf.h"
#include "maps.bpf.h"

#include "latency.h"

/* Packets whose timestamp has one of these bits are left out: 0 takes all, 7 one of 8. */
const volatile __u64 sample_mask = 0;

/* Opt-in labels: what is off costs nothing. */
const volatile bool by_interface = false;
const volatile bool by_netns = false;
const volatile bool by_cgroup = false;
const volatile bool by_network = false;
const volatile __u32 prefix4 = 24;
const volatile __u32 prefix6 = 64;

#define NSEC_PER_SEC 1000000000ULL
#define AN_HOUR      (3600 * NSEC_PER_SEC)

/* Not in the headers for programs: <linux/socket.h>, <linux/net.h>, <linux/interrupt.h>. */
enum { AF_INET = 2, AF_INET6 = 10, SOCK_STREAM = 1, NET_TX_SOFTIRQ = 2, NET_RX_SOFTIRQ = 3 };
enum { MSG_PEEK = 0x2, MSG_ERRQUEUE = 0x2000 };

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

/* The number of an interface, if it is in the daemon's network namespace: elsewhere others have the
 * same. */
static __always_inline __u32 own_interface(__u32 netns, __u32 ifindex)
{
	__u32 zero = 0;
	const struct latency_clock *clock = bpf_map_lookup_elem(&latency_clock, &zero);

	return clock && clock->netns == netns ? ifindex : 0;
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

static __always_inline void add_optional_labels(const bool direct, const struct sighting *s,
						struct latency_stack_key *key)
{
	__u32 netns = 0, ifindex = 0;

	if (by_interface || by_netns) {
		if (s->dev)
			netns = netns_of_device(direct, s->dev);
		else if (s->sk)
			netns = netns_of_socket(direct, s->sk);
	}
	if (by_interface) {
		ifindex = s->dev ? READ(direct, s->dev, ifindex) : READ(direct, s->skb, skb_iif);
		key->interface = own_interface(netns, ifindex);
	}
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
	if (s->ip_version)
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

/*
 * Read from a UDP socket, where no tracepoint shows the packet: what stands first in the socket's
 * queue is noted, when it gets there, and is what the next read gets. With several readers of one
 * socket at once it may be another's.
 */
struct first_datagram {
	__u64 since; /* its receive timestamp; 0: there is none, or it says nothing */
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
	if (!since || since & sample_mask || !s.ip_version)
		return;
	s.network_header = network_header_of(PROBED, s.skb);
	fill_stack_key(PROBED, &s, &to->key);
	to->since = since;
}

SEC("tp_btf/sk_data_ready")
int BPF_PROG(note_first_datagram, struct sock *sk)
{
	struct first_datagram *first;

	if (!is_inet(DIRECT, sk) || sk->sk_protocol != IPPROTO_UDP)
		return 0;
	first = bpf_sk_storage_get(&first_datagrams, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (first && !first->since)
		note_first(sk, first);
	return 0;
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
	if (first->since && ns < AN_HOUR)
		ADD_LATENCY(&stack_latency_seconds, first->key, ns);
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
	if (s.protocol == IPPROTO_TCP)
		measure(DIRECT, &s, since, bpf_ktime_get_ns());
	return 0;
}

/* ---- netfilter: what a hook's chains cost a packet ---- */

/*
 * When packets entered the chains that this CPU works on. They go through them on one CPU and
 * without a pause, so that few places are enough: direct-mapped by the packet's address, and a
 * packet whose place was taken is not counted. One that leaves the chains otherwise (dropped,
 * queued to user space) leaves its place taken; whoever has its address later enters first.
 */
struct passage {
	__u64 skb;
	__u64 since;
};

enum { PASSAGES = 16, SKB_ALIGNMENT_LOG2 = 8 };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PASSAGES);
	__type(key, __u32);
	__type(value, struct passage);
} netfilter_passages SEC(".maps");

static __always_inline struct passage *passage_of(__u64 skb)
{
	__u32 place = (skb >> SKB_ALIGNMENT_LOG2) % PASSAGES;

	return bpf_map_lookup_elem(&netfilter_passages, &place);
}

static __always_inline void enter_netfilter(__u64 skb)
{
	struct passage *passage = passage_of(skb);

	if (!passage)
		return;
	passage->skb = skb;
	passage->since = bpf_ktime_get_ns();
}

/* Nobody stays on a CPU for a second: that was another packet at the same address, of which the end
 * was not seen. */
static __always_inline void leave_netfilter(const bool direct, __u64 skb,
					    struct nf_hook_state *state)
{
	struct latency_netfilter_key key = {
		.hook = READ(direct, state, hook),
		.ip_version = READ(direct, state, pf) == AF_INET ? 4 : 6,
	};
	struct passage *passage = passage_of(skb);
	__u64 ns;

	if (!passage || passage->skb != skb)
		return;
	passage->skb = 0;
	ns = bpf_ktime_get_ns() - passage->since;
	if (ns >= NSEC_PER_SEC)
		return;
	if (by_netns)
		key.netns = netns_of(direct, READ(direct, state, net));
	ADD_LATENCY(&netfilter_latency_seconds, key, ns);
}

enum { NF_ACCEPT = 1 };

SEC("netfilter")
int netfilter_first(struct bpf_nf_ctx *ctx)
{
	enter_netfilter((__u64)ctx->skb);
	return NF_ACCEPT;
}

SEC("netfilter")
int netfilter_last(struct bpf_nf_ctx *ctx)
{
	leave_netfilter(DIRECT, (__u64)ctx->skb, ctx->state);
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

SEC("tp_btf/softirq_raise")
int BPF_PROG(softirq_raise, __u32 vector)
{
	struct softirq *softirq = network_softirq(vector);

	if (softirq && !softirq->raised) /* again while it waits: the first time counts */
		softirq->raised = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/softirq_entry")
int BPF_PROG(softirq_entry, __u32 vector)
{
	struct latency_softirq_key key = {.vector = (__u8)vector};
	struct softirq *softirq = network_softirq(vector);
	__u64 waited;

	if (!softirq)
		return 0;
	softirq->entered = bpf_ktime_get_ns();
	if (!softirq->raised)
		return 0;
	waited = softirq->entered - softirq->raised;
	softirq->raised = 0;
	ADD_LATENCY(&softirq_wait_seconds, key, waited);
	return 0;
}

SEC("tp_btf/softirq_exit")
int BPF_PROG(softirq_exit, __u32 vector)
{
	struct latency_softirq_key key = {.vector = (__u8)vector};
	struct softirq *softirq = network_softirq(vector);
	__u64 ran;

	if (!softirq || !softirq->entered)
		return 0;
	ran = bpf_ktime_get_ns() - softirq->entered;
	softirq->entered = 0;
	ADD_LATENCY(&softirq_run_seconds, key, ran);
	return 0;
}

/* ---- queueing disciplines ---- */

/*
 * When packets were queued, by their address. A packet that is dropped inside, or that leaves
 * unseen, leaves its entry: whoever has its address next overwrites it, or it becomes the oldest.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u64);
} queued SEC(".maps");

enum { BULK_MAX = 16 }; /* packets that a qdisc hands over at once; of more the rest is not seen */

static __always_inline void note_queued(struct sk_buff *skb)
{
	__u64 key = (__u64)skb, now = bpf_ktime_get_ns();

	bpf_map_update_elem(&queued, &key, &now, BPF_ANY);
}

SEC("tp_btf/qdisc_enqueue")
int BPF_PROG(qdisc_enqueue, struct Qdisc *qdisc, struct netdev_queue *queue, struct sk_buff *skb)
{
	note_queued(skb);
	return 0;
}

static __always_inline void count_dequeued(struct sk_buff *skb, struct latency_qdisc_key *key,
					   __u64 now)
{
	__u64 address = (__u64)skb;
	const __u64 *since = bpf_map_lookup_elem(&queued, &address);
	__u64 ns;

	if (!since)
		return;
	ns = now - *since;
	bpf_map_delete_elem(&queued, &address);
	if (ns < AN_HOUR)
		ADD_LATENCY(&qdisc_latency_seconds, *key, ns);
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
	if (by_interface || by_netns) {
		netns = netns_of_device(DIRECT, dev);
		key.netns = by_netns ? netns : 0;
		key.interface = by_interface ? own_interface(netns, dev->ifindex) : 0;
	}
	for (int i = 0; i < BULK_MAX && skb; i++) {
		count_dequeued(skb, &key, now);
		skb = skb->next;
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
