/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which interface a packet is at, also where a program is in several network namespaces
 * (`netns:` of its row under `attach:`), in which the same indices are used again:
 *
 *	key.interface = interface_id(skb);
 *
 * gives an id that the decoders ifname and ifnetns know: in the daemon's own namespace the index,
 * elsewhere a number of 2^31 or more, that wiregauge has put into the map here; 0 for what it does
 * not know. While all is in the own namespace it is skb->ifindex and nothing else, as the verifier
 * takes out the rest.
 *
 * In several namespaces it costs some reads of the kernel's memory a packet, and elsewhere than in
 * the own a look-up; so ask once.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kernel_types.bpf.h"

/* Inode number of the daemon's own namespace, where the program is in others too; else 0. */
const volatile __u32 interface_own_netns = 0;

struct interface_place {
	__u32 netns; /* inode number */
	__u32 ifindex;
};

/* One entry where nothing is in it: see above. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct interface_place);
	__type(value, __u32);
} interface_ids SEC(".maps");

static __always_inline __u32 interface_id_of(struct net_device *device, __u32 ifindex)
{
	struct interface_place place = {
		.netns = BPF_CORE_READ(device, nd_net.net, ns.inum),
		.ifindex = ifindex,
	};
	const __u32 *id;

	if (place.netns == interface_own_netns)
		return ifindex;
	id = bpf_map_lookup_elem(&interface_ids, &place);
	return id ? *id : 0;
}

/* The context's address as a number, that the verifier lets anything be read from. */
static __always_inline const void *interface_context(const void *context)
{
	const void *address = NULL;

	bpf_probe_read_kernel(&address, sizeof(address), &context);
	return address;
}

/* For programs at traffic control: what they get is a struct sk_buff. */
static __always_inline __u32 interface_id(struct __sk_buff *skb)
{
	const struct sk_buff *packet;

	if (!interface_own_netns)
		return skb->ifindex;
	packet = interface_context(skb);
	return interface_id_of(BPF_CORE_READ(packet, dev), skb->ifindex);
}

/* For XDP programs: what they get is a struct xdp_buff. */
static __always_inline __u32 interface_id_xdp(struct xdp_md *xdp)
{
	const struct xdp_buff *packet;

	if (!interface_own_netns)
		return xdp->ingress_ifindex;
	packet = interface_context(xdp);
	return interface_id_of(BPF_CORE_READ(packet, rxq, dev), xdp->ingress_ifindex);
}
