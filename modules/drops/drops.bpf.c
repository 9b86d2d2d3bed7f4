/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Counts the packets that the kernel gives up, by its own reason. kfree_skb() and its kin are the
 * end of what was lost; what has done its duty ends in consume_skb(), which is another tracepoint.
 */
#include <stdbool.h>

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kernel_types.bpf.h"
#include "maps.bpf.h"
#include "packet.bpf.h"

#include "drops.h"

/* include/linux/socket.h; <sys/socket.h> has more than BPF code can take. */
enum { AF_INET = 2, AF_INET6 = 10 };

const volatile bool drops_by_function = false;
const volatile bool drops_by_interface = false;
const volatile bool drops_by_netns = false;

/* Not preallocated: most hosts see a dozen kinds, and only a flood of all kinds fills it. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct drops_key);
	__type(value, __u64);
} drops_packets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} drops_no_room SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct drops_device_key);
	__type(value, __u64);
} drops_devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192); /* as many CPUs as Linux can have */
	__type(key, __u32);
	__type(value, struct drops_softnet);
} drops_softnet SEC(".maps");

/*
 * What the tracepoint's functions take, as the kernel's BTF has it (include/trace/events/skb.h): no
 * reason before 5.17. A third argument came then, a fourth with 6.11. Whether the kernel has
 * this very type is asked of its BTF when the program is loaded.
 */
typedef void (*btf_trace_kfree_skb___bare)(void *, struct sk_buff *, void *);

static __always_inline __u32 drops_reason(const __u64 *ctx)
{
	if (bpf_core_type_exists(btf_trace_kfree_skb___bare))
		return 0;
	return ctx[2];
}

/* ---- where the headers are ---- */

/* @size bytes at @offset from skb->head to @to; false where the linear part ends before. */
static __always_inline bool drops_bytes(const struct sk_buff *skb, __u32 offset, void *to,
					__u32 size)
{
	return offset + size <= skb->tail &&
	       bpf_probe_read_kernel(to, size, skb->head + offset) == 0;
}

/* What a walk over the headers has come to. */
struct drops_walk {
	const struct sk_buff *skb;
	__u32 offset;
	__u16 ethertype; /* of the header at `offset`, host order */
};

/* The ethertype is of a tag: go behind it. Tags begin behind the Ethernet header, and that is where
 * the packet begins when it is not known to be elsewhere. */
static __always_inline void drops_skip_tags(struct drops_walk *w)
{
	const struct sk_buff *skb = w->skb;
	struct packet_vlan_header tag;

	w->offset = skb->mac_header < skb->tail ? skb->mac_header : skb->data - skb->head;
	w->offset += ETH_HLEN;
	for (int i = 0; i < PACKET_TAGS_MAX && packet_is_tag(w->ethertype); i++) {
		if (!drops_bytes(skb, w->offset, &tag, sizeof(tag)))
			return;
		w->ethertype = bpf_ntohs(tag.ethertype);
		w->offset += sizeof(tag);
	}
}

static __always_inline bool drops_read_ipv4(const struct drops_walk *w, struct drops_key *key)
{
	struct iphdr ip;

	if (!drops_bytes(w->skb, w->offset, &ip, sizeof(ip)) || ip.version != 4)
		return false;
	key->ip_version = 4;
	key->protocol = ip.protocol;
	return true;
}

/* As packet.bpf.h has it: behind a fragment's header only the first one's protocol is there. */
static __always_inline __u8 drops_skip_extensions(const struct sk_buff *skb, __u32 offset,
						  __u8 protocol)
{
	struct packet_extension_header header;

	for (int i = 0; i < PACKET_EXTENSIONS_MAX && packet_is_extension(protocol); i++) {
		if (!drops_bytes(skb, offset, &header, sizeof(header)))
			break;
		offset += packet_extension_len(protocol, header.len);
		if (protocol == IPPROTO_FRAGMENT && bpf_ntohs(header.fragment) & 0xfff8)
			return header.next;
		protocol = header.next;
	}
	return protocol;
}

static __always_inline bool drops_read_ipv6(const struct drops_walk *w, struct drops_key *key)
{
	struct ipv6hdr ip;

	if (!drops_bytes(w->skb, w->offset, &ip, sizeof(ip)) || ip.version != 6)
		return false;
	key->ip_version = 6;
	key->protocol = drops_skip_extensions(w->skb, w->offset + sizeof(ip), ip.nexthdr);
	return true;
}

static __always_inline bool drops_read_ip(const struct drops_walk *w, struct drops_key *key)
{
	if (w->ethertype == ETH_P_IP)
		return drops_read_ipv4(w, key);
	return w->ethertype == ETH_P_IPV6 && drops_read_ipv6(w, key);
}

/* TCP over IPv4 in a socket for IPv6: its addresses are ::ffff:… (RFC 4291, 2.5.5.2). */
static __always_inline bool drops_is_mapped(const struct sock *sk)
{
	__be32 address[4];

	bpf_core_read(address, sizeof(address), &sk->__sk_common.skc_v6_daddr);
	return address[0] == 0 && address[1] == 0 && address[2] == bpf_htonl(0xffff);
}

/* What a socket was about to send and has no header yet. False where it is no packet: messages of
 * Unix and netlink sockets are sk_buffs as well. */
static __always_inline bool drops_read_socket(const struct sock *sk, struct drops_key *key)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (family != AF_INET && family != AF_INET6)
		return false;
	key->ip_version = family == AF_INET || drops_is_mapped(sk) ? 4 : 6;
	key->protocol = BPF_CORE_READ(sk, sk_protocol);
	return true;
}

/*
 * The network header is known from when the stack has begun with the packet, or has built it; what
 * a driver or the queue before the stack gives up begins with it, or with the Ethernet header.
 * Whether it is there is seen by the version in it.
 */
static __always_inline bool drops_find_ip(const struct sk_buff *skb, struct drops_walk *w,
					  struct drops_key *key)
{
	if (packet_is_tag(w->ethertype))
		drops_skip_tags(w);
	if (w->offset && drops_read_ip(w, key))
		return true;
	w->offset = skb->data - skb->head;
	if (drops_read_ip(w, key))
		return true;
	w->offset += ETH_HLEN;
	return drops_read_ip(w, key);
}

/* IP version and protocol; false where it is no packet. */
static __always_inline bool drops_read_packet(const struct sk_buff *skb, struct drops_key *key)
{
	struct drops_walk w = {
		.skb = skb,
		.offset = skb->network_header,
		.ethertype = bpf_ntohs(skb->protocol),
	};

	if (w.ethertype == 0)
		return drops_read_socket(BPF_CORE_READ(skb, sk), key);
	if (!drops_find_ip(skb, &w, key))
		key->protocol = packet_protocol_of_ethertype(w.ethertype);
	return true;
}

/* ---- labels that are asked for ---- */

/* NULL where a packet is at no device, and where other things lie in its place: UDP keeps its
 * dev_scratch there, which is no address of the kernel. */
static __always_inline const struct net_device *drops_device(const struct sk_buff *skb)
{
	const struct net_device *device = BPF_CORE_READ(skb, dev);

	return (long)device < 0 ? device : NULL;
}

static __always_inline __u32 drops_namespace(const struct sk_buff *skb,
					     const struct net_device *device)
{
	const struct sock *sk = BPF_CORE_READ(skb, sk);

	if (device)
		return BPF_CORE_READ(device, nd_net.net, ns.inum);
	return BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

static __always_inline void drops_read_place(const __u64 *ctx, const struct sk_buff *skb,
					     struct drops_key *key)
{
	const struct net_device *device = drops_device(skb);

	if (drops_by_function)
		key->location = ctx[1];
	if (drops_by_netns)
		key->netns = drops_namespace(skb, device);
	if (drops_by_interface && device)
		bpf_core_read_str(key->interface, sizeof(key->interface), &device->name);
}

SEC("tp_btf/kfree_skb")
int drops_count(__u64 *ctx)
{
	const struct sk_buff *skb = (const struct sk_buff *)ctx[0];
	struct drops_key key = {.reason = drops_reason(ctx)};
	__u32 zero = 0;

	if (!drops_read_packet(skb, &key))
		return 0;
	drops_read_place(ctx, skb, &key);
	/* Atomic also on one CPU: packets are given up in tasks and in interrupts. */
	if (!map_add(&drops_packets, &key, 1))
		map_add(&drops_no_room, &zero, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
