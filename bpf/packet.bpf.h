/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The packet parser: from the context of a TC or XDP program to a struct packet, in one pass.
 *
 *	SEC("tc") int count_udp(struct __sk_buff *skb)
 *	{
 *		struct packet p;
 *
 *		packet_parse(&p, skb, PACKET_INGRESS);
 *		if (p.protocol == IPPROTO_UDP && p.ip_version) …
 *		return TC_ACT_UNSPEC;
 *	}
 *
 * What is where (offsets are from the context's data):
 *
 *	0            network_offset     transport_offset       payload_offset     its length
 *	| Ethernet, up to 2 tags | IPv4, or IPv6 + extensions | TCP, UDP, … header | payload |
 *
 * Packets of devices without a link layer (tun, ipip, wireguard …) begin at the network header: use
 * packet_parse_l3() there.
 *
 * An XDP program says so before it includes this:
 *
 *	#define PACKET_XDP
 *	#include "packet.bpf.h"
 *
 * The parser is the same. Where the bytes are, how long the packet is and what the kernel knows of
 * it besides are questions to the context, which packet_skb.bpf.h and packet_xdp.bpf.h answer.
 *
 * Each field is valid as far as the packet was: `status` tells where it ended. A truncated IPv4
 * header leaves ip_version 0 and the ethertype 0x0800; a truncated TCP header leaves ip_version and
 * protocol and no ports. Nothing is changed in the packet, and it need not be linear.
 *
 * No pointer into the packet is kept, so helpers that change it may be called at any time; header
 * fields beyond those here are read by packet_bytes().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/types.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/*
 * Tells the verifier that an offset is below 16 KB, without a branch: 14 bytes Ethernet, 8 of tags,
 * 40 of IPv6 and 6 extensions of 2048 bytes are 12350. In assembler, as the compiler knows it
 * already and would leave it out.
 */
static __always_inline __u32 packet_bound_offset(__u32 offset)
{
	asm volatile("%0 &= 0x3fff" : "+r"(offset));
	return offset;
}

#ifdef PACKET_XDP
#include "packet_xdp.bpf.h"
#else
#include "packet_skb.bpf.h"
#endif

enum packet_direction { PACKET_INGRESS, PACKET_EGRESS };

enum packet_status {
	PACKET_WHOLE,     /* every header that is known was there */
	PACKET_TRUNCATED, /* it ended within a header */
	PACKET_MALFORMED, /* a header says what cannot be: version, length, too many extensions */
};

/* IPv4 and IPv6 alike. Only the first fragment has the transport header; of later ones `protocol`
 * is what the fragment header says, be it an extension header. */
enum packet_fragment { PACKET_UNFRAGMENTED, PACKET_FRAGMENT_FIRST, PACKET_FRAGMENT_LATER };

enum {
	PACKET_TAGS_MAX = 2,       /* in the frame; one more may be kept aside by the kernel */
	PACKET_EXTENSIONS_MAX = 6, /* RFC 8200, 4.1: each at most once, destination options twice */
};

struct packet {
	union {
		PACKET_CONTEXT *context;
		PACKET_CONTEXT *PACKET_CONTEXT_NAME; /* skb or xdp, for the code of one of them */
	};
	__u32 len;              /* bytes on the wire, no FCS; of a super-packet before it is cut */
	__u32 headers_len;      /* of these, all before the payload; both with a tag kept aside */
	__u32 network_offset;   /* valid if ethertype */
	__u32 transport_offset; /* valid if ip_version */
	__u32 payload_offset;   /* after the last header that is known */
	__u32 interface;        /* its index; in a pipeline its id: interface.bpf.h */
	__u16 ethertype;        /* host order, after all tags; < 1536 is a length: 802.3 with LLC */
	__u16 vlan;             /* TCI of the outermost tag, if tags */
	__u16 inner_vlan;       /* TCI of the second, if tags > 1 */
	__u16 source_port;      /* TCP, UDP, SCTP; host order */
	__u16 destination_port; /* likewise */
	__u8 tags;              /* 802.1Q and 802.1ad tags, the one kept aside included */
	__u8 direction;         /* enum packet_direction */
	__u8 ip_version;        /* 4, 6, or 0: no IP, or its header was not whole */
	__u8 protocol;          /* IPPROTO_…, if ip_version; after extension headers */
	__u8 fragment;          /* enum packet_fragment */
	__u8 status;            /* enum packet_status */
	__u8 tcp_flags;         /* TCP: the header's byte 13 */
	__u8 icmp_type;         /* ICMP and ICMPv6 */
	__u8 icmp_code;         /* likewise */
#ifdef PACKET_XDP
	bool cmpxchg; /* set by the pipeline: stage.bpf.h */
#endif
};

/*
 * Protocols as labels in 16 bits: with an IP version IP's (≤ 255), else the ethertype (≥ 1536) or
 * one of these, which no protocol has.
 */
enum packet_protocol {
	PACKET_PROTOCOL_LLC = 256,   /* an 802.3 length instead of an ethertype: LLC follows */
	PACKET_PROTOCOL_OTHER = 257, /* an ethertype that has no name here */
};

struct packet_vlan_header {
	__be16 tci;
	__be16 ethertype;
};

/* The first 8 bytes of an IPv6 extension header; all have at least these (RFC 8200, 4.2-4.6; RFC
 * 4302). */
struct packet_extension_header {
	__u8 next;
	__u8 len;
	union {
		__be16 fragment; /* fragment header: offset in units of 8 bytes << 3 | more */
		struct {
			__u8 option;
			__u8 option_len;
		};
	};
	__be32 data;
};

/*
 * @size bytes at @offset, which is below 16 KB, or NULL when the packet ends before them. The
 * pointer goes into the packet where they are in its linear part, else to @copy.
 */
static __always_inline const void *packet_bytes(PACKET_CONTEXT *context, __u32 offset, void *copy,
						__u32 size)
{
	const void *bytes;

	/* Here, as the verifier forgets what it knew of a number that was on the stack. */
	offset = packet_bound_offset(offset);
	bytes = (const void *)(long)context->data + offset;
	if (bytes + size <= (const void *)(long)context->data_end)
		return bytes;
	if (packet_load_bytes(context, offset, copy, size) < 0)
		return NULL;
	return copy;
}

static __always_inline void packet_parse_tcp(struct packet *p)
{
	struct tcphdr copy;
	const struct tcphdr *tcp =
		packet_bytes(p->context, p->transport_offset, &copy, sizeof(copy));
	__u32 len;

	if (!tcp) {
		p->status = PACKET_TRUNCATED;
		return;
	}
	len = tcp->doff * 4;
	p->source_port = bpf_ntohs(tcp->source);
	p->destination_port = bpf_ntohs(tcp->dest);
	p->tcp_flags = ((const __u8 *)tcp)[13];
	if (len < sizeof(*tcp))
		p->status = PACKET_MALFORMED;
	else if (p->transport_offset + len > packet_frame_len(p))
		p->status = PACKET_TRUNCATED;
	else
		p->payload_offset = p->transport_offset + len;
}

/* UDP (RFC 768), SCTP's common header (RFC 9260, 3.1): both begin with the ports. */
static __always_inline void packet_parse_ports(struct packet *p, __u32 len)
{
	__be16 copy[2];
	const __be16 *ports = packet_bytes(p->context, p->transport_offset, copy, sizeof(copy));

	if (!ports || p->transport_offset + len > packet_frame_len(p)) {
		p->status = PACKET_TRUNCATED;
		return;
	}
	p->source_port = bpf_ntohs(ports[0]);
	p->destination_port = bpf_ntohs(ports[1]);
	p->payload_offset = p->transport_offset + len;
}

/* RFC 792, RFC 4443: type, code, checksum, and four bytes that depend on them. */
static __always_inline void packet_parse_icmp(struct packet *p)
{
	__u8 copy[8];
	const __u8 *icmp = packet_bytes(p->context, p->transport_offset, copy, sizeof(copy));

	if (!icmp) {
		p->status = PACKET_TRUNCATED;
		return;
	}
	p->icmp_type = icmp[0];
	p->icmp_code = icmp[1];
	p->payload_offset = p->transport_offset + sizeof(copy);
}

static __always_inline void packet_parse_transport(struct packet *p)
{
	p->payload_offset = p->transport_offset;
	if (p->fragment == PACKET_FRAGMENT_LATER || p->status != PACKET_WHOLE)
		return;
	if (p->protocol == IPPROTO_TCP)
		packet_parse_tcp(p);
	else if (p->protocol == IPPROTO_UDP)
		packet_parse_ports(p, 8);
	else if (p->protocol == IPPROTO_SCTP)
		packet_parse_ports(p, 12);
	else if (p->protocol == (p->ip_version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		packet_parse_icmp(p);
}

static __always_inline void packet_parse_ipv4(struct packet *p)
{
	struct iphdr copy;
	const struct iphdr *ip = packet_bytes(p->context, p->network_offset, &copy, sizeof(copy));
	__u32 len, fragment;

	if (!ip) {
		p->status = PACKET_TRUNCATED;
		return;
	}
	len = ip->ihl * 4;
	if (ip->version != 4 || len < sizeof(*ip)) {
		p->status = PACKET_MALFORMED;
		return;
	}
	p->ip_version = 4;
	p->protocol = ip->protocol;
	fragment = bpf_ntohs(ip->frag_off); /* RFC 791: flags (MF 0x2000), 13 bits of offset */
	if (fragment & 0x1fff)
		p->fragment = PACKET_FRAGMENT_LATER;
	else if (fragment & 0x2000)
		p->fragment = PACKET_FRAGMENT_FIRST;
	p->transport_offset = p->network_offset + len;
	if (p->transport_offset > packet_frame_len(p))
		p->status = PACKET_TRUNCATED;
	packet_parse_transport(p);
}

/* How far a walk over extension headers has come. */
struct packet_walk {
	__u32 offset;
	__u8 protocol; /* of the header at `offset` */
	__u8 fragment;
	__u8 status;
	bool jumbo; /* see packet_walk_step() */
};

static __always_inline bool packet_is_extension(__u8 protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING ||
	       protocol == IPPROTO_FRAGMENT || protocol == IPPROTO_AH ||
	       protocol == IPPROTO_DSTOPTS;
}

static __always_inline __u32 packet_extension_len(__u8 protocol, __u8 len)
{
	if (protocol == IPPROTO_FRAGMENT)
		return 8;
	if (protocol == IPPROTO_AH) /* RFC 4302, 2.2: in units of 4 bytes, less 2 */
		return (len + 2) * 4;
	return (len + 1) * 8;
}

/* One extension header; false when the walk ends there. */
static __always_inline bool packet_walk_step(PACKET_CONTEXT *context, struct packet_walk *w)
{
	struct packet_extension_header header;
	__u8 protocol = w->protocol;
	__u32 len;

	if (packet_load_bytes(context, w->offset, &header, sizeof(header)) < 0) {
		w->status = PACKET_TRUNCATED;
		return false;
	}
	len = packet_extension_len(protocol, header.len);
	if (w->offset + len > packet_context_len(context)) {
		w->status = PACKET_TRUNCATED;
		return false;
	}
	/*
	 * BIG TCP: super-packets above 64 KB carry a jumbo payload option (RFC 2675, type 194) that
	 * the kernel made and takes away again before the wire (ipv6_hopopt_jumbo_remove()).
	 */
	if (protocol == IPPROTO_HOPOPTS && header.option == 194 && packet_gso_size(context))
		w->jumbo = true;
	w->protocol = header.next;
	w->offset += len;
	if (protocol != IPPROTO_FRAGMENT)
		return true;
	if (bpf_ntohs(header.fragment) & 0xfff8)
		w->fragment = PACKET_FRAGMENT_LATER;
	else if (bpf_ntohs(header.fragment) & 1)
		w->fragment = PACKET_FRAGMENT_FIRST;
	return w->fragment != PACKET_FRAGMENT_LATER;
}

/* Not inlined: few packets have extension headers, and the others' code stays small. */
static __noinline int packet_walk_extensions(PACKET_CONTEXT *context, struct packet_walk *w)
{
	for (int i = 0; i < PACKET_EXTENSIONS_MAX; i++) {
		if (!packet_is_extension(w->protocol))
			return 0;
		if (!packet_walk_step(context, w))
			return 0;
	}
	if (packet_is_extension(w->protocol))
		w->status = PACKET_MALFORMED;
	return 0;
}

static __always_inline void packet_parse_extensions(struct packet *p)
{
	struct packet_walk walk = {
		.offset = p->transport_offset,
		.protocol = p->protocol,
	};

	packet_walk_extensions(p->context, &walk);
	p->transport_offset = walk.offset;
	p->protocol = walk.protocol;
	p->fragment = walk.fragment;
	p->status = walk.status;
	if (walk.jumbo) {
		p->len -= 8;
		p->headers_len -= 8;
	}
}

static __always_inline void packet_parse_ipv6(struct packet *p)
{
	struct ipv6hdr copy;
	const struct ipv6hdr *ip = packet_bytes(p->context, p->network_offset, &copy, sizeof(copy));

	if (!ip) {
		p->status = PACKET_TRUNCATED;
		return;
	}
	if (ip->version != 6) {
		p->status = PACKET_MALFORMED;
		return;
	}
	p->ip_version = 6;
	p->protocol = ip->nexthdr;
	p->transport_offset = p->network_offset + sizeof(*ip);
	if (packet_is_extension(p->protocol))
		packet_parse_extensions(p);
	packet_parse_transport(p);
}

static __always_inline void packet_parse_network(struct packet *p)
{
	p->payload_offset = p->network_offset;
	if (p->ethertype == ETH_P_IP)
		packet_parse_ipv4(p);
	else if (p->ethertype == ETH_P_IPV6)
		packet_parse_ipv6(p);
	p->headers_len += p->payload_offset;
}

static __always_inline void packet_add_tag(struct packet *p, __u16 tci)
{
	if (p->tags == 0)
		p->vlan = tci;
	else if (p->tags == 1)
		p->inner_vlan = tci;
	p->tags++;
}

static __always_inline bool packet_is_tag(__u16 ethertype)
{
	return ethertype == ETH_P_8021Q || ethertype == ETH_P_8021AD;
}

/* What the parsers below have in common. */
static __always_inline void packet_begin(struct packet *p, PACKET_CONTEXT *context,
					 enum packet_direction direction)
{
	*p = (struct packet){.context = context,
			     .direction = direction,
			     .len = packet_context_len(context),
			     .interface = packet_ifindex(context)};
	if (packet_has_tag_aside(context)) {
		packet_add_tag(p, packet_tag_aside(context));
		p->len += sizeof(struct packet_vlan_header);
		p->headers_len += sizeof(struct packet_vlan_header);
	}
}

/* The tags in the frame; the kernel keeps just the outermost one aside, if any. */
static __always_inline void packet_parse_tags(struct packet *p)
{
	for (int i = 0; i < PACKET_TAGS_MAX && packet_is_tag(p->ethertype); i++) {
		struct packet_vlan_header copy;
		const struct packet_vlan_header *tag =
			packet_bytes(p->context, p->network_offset, &copy, sizeof(copy));

		if (!tag) {
			p->status = PACKET_TRUNCATED;
			return;
		}
		packet_add_tag(p, bpf_ntohs(tag->tci));
		p->ethertype = bpf_ntohs(tag->ethertype);
		p->network_offset += sizeof(*tag);
	}
}

/* A packet that begins with an Ethernet header. */
static __always_inline void packet_parse(struct packet *p, PACKET_CONTEXT *context,
					 enum packet_direction direction)
{
	struct ethhdr copy;
	const struct ethhdr *eth = packet_bytes(context, 0, &copy, sizeof(copy));

	packet_begin(p, context, direction);
	if (!eth) {
		p->status = PACKET_TRUNCATED;
		return;
	}
	p->ethertype = bpf_ntohs(eth->h_proto);
	p->network_offset = sizeof(*eth);
	packet_parse_tags(p);
	packet_parse_network(p);
}

/* A packet that begins with its network header. */
static __always_inline void packet_parse_l3(struct packet *p, PACKET_CONTEXT *context,
					    enum packet_direction direction)
{
	packet_begin(p, context, direction);
	p->ethertype = packet_l3_ethertype(context);
	packet_parse_network(p);
}

/*
 * A super-packet as it was, or will be, on the wire: GRO has joined, or TSO/GSO is going to cut it
 * into, `count` packets of `size` bytes each, the last of `last_size`; every one has the headers:
 *
 *	super-packet	| headers | payload ................ |
 *	wire		| headers | gso_size | headers | gso_size | headers | rest |
 *	                '------ size -------'                     '-- last_size ---'
 *
 * Of a packet in a tunnel (VXLAN, GRE, ipip …) the outer headers are known here, not the inner.
 */
struct packet_segments {
	__u32 count;
	__u32 size;
	__u32 last_size;
	__u64 bytes; /* of all on the wire */
};

static __always_inline void packet_cut_segments(const struct packet *p, __u32 gso_size,
						struct packet_segments *s)
{
	__u32 payload = p->len - p->headers_len;
	__u32 count = packet_gso_segs(p->context);

	/* GSO_BY_FRAGS (SCTP): the sizes differ and only their number can be read: take the
	 * mean. */
	if (gso_size == 0xffff)
		gso_size = count > 1 ? payload / count : payload;
	/* gso_segs is 0 where the packet came from a virtual machine (SKB_GSO_DODGY). */
	if (!count || (count - 1) * gso_size >= payload)
		count = (payload + gso_size - 1) / gso_size;
	s->count = count;
	s->size = p->headers_len + gso_size;
	s->last_size = p->len - (count - 1) * gso_size;
	s->bytes = p->len + (__u64)(count - 1) * p->headers_len;
}

static __always_inline void packet_segments(const struct packet *p, struct packet_segments *s)
{
	__u32 gso_size = packet_gso_size(p->context);

	if (gso_size && p->len > p->headers_len) {
		packet_cut_segments(p, gso_size, s);
		return;
	}
	s->count = 1;
	s->size = p->len;
	s->last_size = p->len;
	s->bytes = p->len;
}

/* Ethertypes that get a series of their own, by IANA's "IEEE 802 numbers" and <linux/if_ether.h>.
 * All others share one: otherwise any neighbour could make 65,000 of them. */
static __always_inline bool packet_ethertype_is_known(__u16 ethertype)
{
	switch (ethertype) {
	case ETH_P_IP:
	case ETH_P_ARP:
	case ETH_P_RARP:
	case ETH_P_IPV6:
	case ETH_P_8021Q:
	case ETH_P_8021AD:
	case ETH_P_SLOW: /* LACP */
	case ETH_P_MPLS_UC:
	case ETH_P_MPLS_MC:
	case ETH_P_PPP_DISC:
	case ETH_P_PPP_SES:
	case ETH_P_PAE: /* 802.1X */
	case ETH_P_PROFINET:
	case ETH_P_AOE:
	case ETH_P_ETHERCAT:
	case ETH_P_LLDP:
	case ETH_P_MACSEC:
	case ETH_P_1588:
	case ETH_P_NCSI:
	case ETH_P_PRP:
	case ETH_P_CFM:
	case ETH_P_FCOE:
	case ETH_P_FIP:
	case ETH_P_HSR:
	case ETH_P_LOOPBACK:
	case ETH_P_BATMAN:
	case ETH_P_TIPC:
	case ETH_P_NSH:
		return true;
	default:
		return false;
	}
}

/* The label of a packet that is not IP; @ethertype in host order. */
static __always_inline __u16 packet_protocol_of_ethertype(__u16 ethertype)
{
	if (ethertype < ETH_P_802_3_MIN)
		return PACKET_PROTOCOL_LLC;
	return packet_ethertype_is_known(ethertype) ? ethertype : PACKET_PROTOCOL_OTHER;
}
