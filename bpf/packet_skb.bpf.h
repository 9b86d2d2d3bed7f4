/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the parser asks the context of a TC program, a struct __sk_buff; packet_xdp.bpf.h has the
 * same for XDP. Included by packet.bpf.h only.
 */
#pragma once

#include <linux/pkt_cls.h>

#define PACKET_CONTEXT      struct __sk_buff
#define PACKET_CONTEXT_NAME skb

/* Bytes of the packet as it is in memory: all of a super-packet, without a tag kept aside. */
static __always_inline __u32 packet_context_len(const struct __sk_buff *skb)
{
	return skb->len;
}

/* The same of a struct packet. */
#define packet_frame_len(p) packet_context_len((p)->skb)

static __always_inline __u32 packet_ifindex(const struct __sk_buff *skb)
{
	return skb->ifindex;
}

/* Network cards take the outermost tag off, and the kernel keeps it beside the packet. */
static __always_inline bool packet_has_tag_aside(const struct __sk_buff *skb)
{
	return skb->vlan_present;
}

static __always_inline __u16 packet_tag_aside(const struct __sk_buff *skb)
{
	return skb->vlan_tci;
}

/* Of a super-packet, else 0; see packet_segments(). */
static __always_inline __u32 packet_gso_size(const struct __sk_buff *skb)
{
	return skb->gso_size;
}

static __always_inline __u32 packet_gso_segs(const struct __sk_buff *skb)
{
	return skb->gso_segs;
}

/* Of a packet that begins with its network header; host order. */
static __always_inline __u16 packet_l3_ethertype(const struct __sk_buff *skb)
{
	return bpf_ntohs(skb->protocol);
}

/* Copies @len bytes at @offset; negative when the packet ends before them. */
static __always_inline long packet_load_bytes(struct __sk_buff *skb, __u32 offset, void *to,
					      __u32 len)
{
	return bpf_skb_load_bytes(skb, offset, to, len);
}
