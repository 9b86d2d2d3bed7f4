/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Who a packet is counted for: filters and labels. */
#pragma once

#include "latency_maps.bpf.h"

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
