/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Floods without a socket buffer on the sender's side (bench/floods): frames of BPF_PROG_TEST_RUN
 * with BPF_F_TEST_XDP_LIVE_FRAMES, each of which gets a source drawn at random and goes out at
 * an interface; and the rest of the world, that takes what is answered to these sources.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* Ethernet, IPv4 without options, and 40 bytes of TCP or UDP, in words of a checksum. */
enum { FRAME_WORDS = 37, ADDRESS = 13, IPV4_CHECKSUM = 12, PORT = 17 };

/* Bytes more than that, that a frame comes with. */
enum { SPARE = 2 };

/* Source and source port are 0 in it, and the checksums right for that. */
const volatile __u16 frame[FRAME_WORDS] = {};
const volatile __u32 transport_checksum = 0; /* which of its words; 0: it has none */
const volatile __u32 interface = 0;          /* 0: to nowhere */
const volatile __u32 first = 0;              /* of the sources, in the host's order */
const volatile __u32 sources = 1;

static __always_inline __u16 add_to_checksum(__u16 checksum, __u32 sum)
{
	sum += (__u16)~checksum;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

SEC("?xdp")
int forge(struct xdp_md *xdp)
{
	__u32 random = bpf_get_prandom_u32(), checksum = transport_checksum;
	__u32 source = first + (__u32)((__u64)random * sources >> 32);
	__u16 high = bpf_htons(source >> 16), low = bpf_htons(source), port = (__u16)random | 4;
	__u16 *words;

	/* All of it anew: who got the frame before may have answered in it. The kernel takes note
	 * of a length only if it is another one than it began with. */
	if (bpf_xdp_adjust_tail(xdp, -SPARE) < 0)
		return XDP_ABORTED;
	words = (void *)(long)xdp->data;
	if (words + FRAME_WORDS > (__u16 *)(long)xdp->data_end)
		return XDP_ABORTED;
	for (int i = 0; i < FRAME_WORDS; i++)
		words[i] = frame[i];
	words[ADDRESS] = high;
	words[ADDRESS + 1] = low;
	words[PORT] = port;
	words[IPV4_CHECKSUM] = add_to_checksum(words[IPV4_CHECKSUM], high + low);
	if (checksum > PORT && checksum < FRAME_WORDS)
		words[checksum] = add_to_checksum(words[checksum], high + low + port);
	return interface ? bpf_redirect(interface, 0) : XDP_DROP;
}

/* NULL: it is none of IPv4. */
static __always_inline const struct iphdr *find_ip(const struct xdp_md *xdp)
{
	const struct ethhdr *ethernet = (void *)(long)xdp->data;
	const struct iphdr *ip = (const void *)(ethernet + 1);

	if ((const void *)(ip + 1) > (void *)(long)xdp->data_end ||
	    ethernet->h_proto != bpf_htons(ETH_P_IP))
		return NULL;
	return ip;
}

SEC("?xdp")
int world(struct xdp_md *xdp)
{
	const struct iphdr *ip = find_ip(xdp);

	return ip && bpf_ntohl(ip->daddr) - first < sources ? XDP_DROP : XDP_PASS;
}

/* The least that can drop a flood of UDP and nothing else: what is left beside that is all that the
 * sender of the flood and the way to here leave. */
SEC("?xdp")
int no_udp(struct xdp_md *xdp)
{
	const struct iphdr *ip = find_ip(xdp);

	return ip && ip->protocol == IPPROTO_UDP ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
