/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What guard asks of a packet: when it came, from whom and to whom. */
#pragma once

#include <stdbool.h>

#include <bpf/bpf_core_read.h>

#include "kernel_types.bpf.h"
#include "stage.bpf.h"

#include "guard_maps.bpf.h"

enum {
	/* Of IPv4's header, of IPv6's: where the two addresses are. */
	GUARD_IPV4_ADDRESSES = 12,
	GUARD_IPV6_ADDRESSES = 8,
	GUARD_LOOPBACK = 1,   /* the index of lo, in every network namespace */
	GUARD_ND_FIRST = 133, /* RFC 4861: router solicitation … redirect */
	GUARD_ND_LAST = 137,
	GUARD_ND_HOP_LIMIT = 255, /* what comes from another network has less */
};

/* Tests say what time it is, in guard_clock. */
const volatile bool guard_clock_is_test = false;

/* What was seen at a place in guard_sources. */
struct guard_glance {
	struct guard_source *source;
	__u64 judgement;
	__u64 key;
};

/* Of the packet that is being decided about; all in registers, as all is inlined. */
struct guard_packet {
	struct packet *p;
	const struct guard_settings *settings;
	struct guard_source *source; /* NULL: it is not remembered */
	__u64 from[2];               /* addresses as they are in memory */
	__u64 to[2];
	struct guard_glance ahead; /* at `home` */
	__u64 key;                 /* of struct guard_source */
	__u64 now;                 /* ns */
	__u32 flags;
	__u32 slot;       /* of guard_destinations */
	__u32 home;       /* guard_home(), if there is a key */
	__u32 place;      /* of the source */
	__u32 generation; /* that rate and verdict are of */
	__u16 rate;
	__u8 verdict; /* of the lists */
	bool is_new;
	bool is_ip;     /* its addresses are there */
	bool is_silent; /* user space has not been there for too long */
};

/*
 * Has the verifier forget what it knows of a number, as @unknown could be any. It would follow each
 * kind of packet that the parser tells apart all the way through the stage, one by one, and those
 * are too many.
 */
static __always_inline __u32 guard_forget(__u32 number, __u32 unknown)
{
	asm volatile("%0 ^= %1\n\t%0 ^= %1" : "+r"(number) : "r"(unknown));
	return number;
}

static __always_inline void guard_forget_packet(struct packet *p, __u32 unknown)
{
	p->network_offset = guard_forget(p->network_offset, unknown);
	p->transport_offset = guard_forget(p->transport_offset, unknown);
	p->source_port = guard_forget(p->source_port, unknown);
	p->destination_port = guard_forget(p->destination_port, unknown);
	p->ip_version = guard_forget(p->ip_version, unknown);
	p->protocol = guard_forget(p->protocol, unknown);
	p->fragment = guard_forget(p->fragment, unknown);
	p->status = guard_forget(p->status, unknown);
	p->tcp_flags = guard_forget(p->tcp_flags, unknown);
	p->icmp_type = guard_forget(p->icmp_type, unknown);
	p->ethertype = guard_forget(p->ethertype, unknown);
	p->vlan = guard_forget(p->vlan, unknown);
}

/* When the clock was last asked: the kernel's ticks, and what it said. */
__u64 guard_tick, guard_tick_ns;

static __always_inline __u64 guard_ask_clock(void)
{
	/* From 5.11; a fifth of the price of the exact clock. */
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_ktime_get_coarse_ns))
		return bpf_ktime_get_coarse_ns();
	return bpf_ktime_get_ns();
}

/*
 * The clock goes on with the kernel's ticks, or need not do so oftener. So it is asked once a tick,
 * for all CPUs; whether there was one is a number in memory, where the clock is a call. The time is
 * written before the tick that it is of, so that nobody takes an old one for new.
 */
static __always_inline __u64 guard_now(void)
{
	__u64 tick = bpf_jiffies64(), now;

	if (guard_clock_is_test) {
		const __u32 first = 0;
		const __u64 *set = bpf_map_lookup_elem(&guard_clock, &first);

		return set ? *set : 0;
	}
	if (*(volatile __u64 *)&guard_tick == tick)
		return *(volatile __u64 *)&guard_tick_ns;
	now = guard_ask_clock();
	*(volatile __u64 *)&guard_tick_ns = now;
	*(volatile __u64 *)&guard_tick = tick;
	return now;
}

/* An IPv4 address, @address as it is in the packet, as the second word of ::ffff:a.b.c.d. */
static __always_inline __u64 guard_mapped(__be32 address)
{
	return bpf_cpu_to_be64(0xffffULL << 32 | bpf_ntohl(address));
}

static __always_inline bool guard_read_ipv4(struct guard_packet *g)
{
	__be32 copy[2];
	const __be32 *ip = packet_bytes(g->p->xdp, g->p->network_offset + GUARD_IPV4_ADDRESSES,
					copy, sizeof(copy));

	if (!ip)
		return false;
	g->from[0] = g->to[0] = 0;
	g->from[1] = guard_mapped(ip[0]);
	g->to[1] = guard_mapped(ip[1]);
	g->key = 0xffffffffULL << 32 | bpf_ntohl(ip[0]);
	return true;
}

static __always_inline bool guard_read_ipv6(struct guard_packet *g)
{
	__u64 copy[4];
	const __u64 *ip = packet_bytes(g->p->xdp, g->p->network_offset + GUARD_IPV6_ADDRESSES, copy,
				       sizeof(copy));

	if (!ip)
		return false;
	g->from[0] = ip[0];
	g->from[1] = ip[1];
	g->to[0] = ip[2];
	g->to[1] = ip[3];
	g->key = bpf_be64_to_cpu(ip[0]) & g->settings->ipv6_mask;
	return true;
}

/* False: it is not from an IP address. */
static __always_inline bool guard_read_addresses(struct guard_packet *g)
{
	if (g->p->ip_version == 4)
		return guard_read_ipv4(g);
	return g->p->ip_version == 6 && guard_read_ipv6(g);
}

static __always_inline bool guard_is_neighbour_discovery(const struct guard_packet *g)
{
	const struct packet *p = g->p;
	const __u8 *hop_limit;
	__u8 copy;

	if (p->protocol != IPPROTO_ICMPV6 || p->ip_version != 6)
		return false;
	if (p->icmp_type < GUARD_ND_FIRST || p->icmp_type > GUARD_ND_LAST)
		return false;
	hop_limit = packet_bytes(p->xdp, p->network_offset + offsetof(struct ipv6hdr, hop_limit),
				 &copy, sizeof(copy));
	return hop_limit && *hop_limit == GUARD_ND_HOP_LIMIT;
}

static __always_inline bool guard_is_loopback(const struct guard_packet *g)
{
	if (g->p->xdp->ingress_ifindex != GUARD_LOOPBACK)
		return false;
	if (g->p->ip_version == 4)
		return (g->key >> 24 & 0xff) == 127;
	return !g->from[0] && g->from[1] == bpf_cpu_to_be64(1);
}

/* What no list and no limit may keep away, as the host is cut off without it. */
static __always_inline bool guard_is_protected(const struct guard_packet *g)
{
	return guard_is_neighbour_discovery(g) || guard_is_loopback(g);
}

static __always_inline bool guard_is_syn(const struct packet *p)
{
	enum { SYN = 0x02, RST = 0x04, ACK = 0x10 }; /* RFC 9293, 3.1 */

	return p->protocol == IPPROTO_TCP && (p->tcp_flags & (SYN | RST | ACK)) == SYN;
}

static __always_inline bool guard_is_ack(const struct packet *p)
{
	enum { SYN = 0x02, RST = 0x04, ACK = 0x10 };

	return p->protocol == IPPROTO_TCP && (p->tcp_flags & (SYN | RST | ACK)) == ACK;
}
