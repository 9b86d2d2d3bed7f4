/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the parser asks the context of an XDP program, a struct xdp_md; packet_skb.bpf.h has the
 * same for TC. Included by packet.bpf.h only.
 *
 * A packet may be longer than its first buffer, if the program says that it knows that
 * (SEC("xdp.frags"), Linux 5.18). Where the kernel has no such packets, the questions about them
 * are not in the program: the loader finds out by CO-RE, and the verifier removes them.
 */
#pragma once

#include <bpf/bpf_core_read.h>

#define PACKET_CONTEXT      struct xdp_md
#define PACKET_CONTEXT_NAME xdp

static __always_inline bool packet_may_have_frags(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_xdp_load_bytes);
}

/* Bytes of the packet, in all of its buffers. */
static __always_inline __u32 packet_context_len(struct xdp_md *xdp)
{
	if (packet_may_have_frags())
		return bpf_xdp_get_buff_len(xdp);
	return xdp->data_end - xdp->data;
}

/* The same of a struct packet: here its length is known, and asking costs a call. */
#define packet_frame_len(p) ((p)->len)

static __always_inline __u32 packet_ifindex(const struct xdp_md *xdp)
{
	return xdp->ingress_ifindex;
}

/* A tag that the network card has taken off cannot be had here, so that its driver has to leave it
 * in the packet: ethtool -K DEVICE rxvlan off. */
static __always_inline bool packet_has_tag_aside(const struct xdp_md *xdp)
{
	(void)xdp;
	return false;
}

static __always_inline __u16 packet_tag_aside(const struct xdp_md *xdp)
{
	(void)xdp;
	return 0;
}

/* There are no super-packets yet: GRO comes later, and leaves alone what XDP is attached to. */
static __always_inline __u32 packet_gso_size(const struct xdp_md *xdp)
{
	(void)xdp;
	return 0;
}

static __always_inline __u32 packet_gso_segs(const struct xdp_md *xdp)
{
	(void)xdp;
	return 0;
}

/* Of a packet that begins with its network header: by the version, as nothing else tells. */
static __always_inline __u16 packet_l3_ethertype(const struct xdp_md *xdp)
{
	const __u8 *version = (const void *)(long)xdp->data;

	if ((const void *)(version + 1) > (const void *)(long)xdp->data_end)
		return 0;
	if (*version >> 4 == 4)
		return ETH_P_IP;
	return *version >> 4 == 6 ? ETH_P_IPV6 : 0;
}

/* Copies @len bytes at @offset, which is below 16 KB; negative when the packet ends before them. */
static __always_inline long packet_load_bytes(struct xdp_md *xdp, __u32 offset, void *to, __u32 len)
{
	const void *bytes;

	if (packet_may_have_frags())
		return bpf_xdp_load_bytes(xdp, offset, to, len);
	bytes = (const void *)(long)xdp->data + packet_bound_offset(offset);
	if (bytes + len > (const void *)(long)xdp->data_end)
		return -1;
	__builtin_memcpy(to, bytes, len);
	return 0;
}
