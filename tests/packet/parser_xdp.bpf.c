/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The parser alone in XDP programs, for tests: see parser.bpf.c. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define PACKET_XDP

#include "packet.bpf.h"

struct result {
	struct packet packet;
	struct packet_segments segments;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct result);
} results SEC(".maps");

/* How many bytes of a packet in several buffers are to be in the first. */
__u32 linear = 0;

/* How many there were, as the packet came. */
__u32 room = 0;

static __always_inline int keep_result(struct packet *p)
{
	__u32 zero = 0;
	struct result *result = bpf_map_lookup_elem(&results, &zero);

	if (!result)
		return XDP_ABORTED;
	packet_segments(p, &result->segments);
	p->xdp = NULL;
	p->cmpxchg = false;
	result->packet = *p;
	return XDP_PASS;
}

SEC("xdp")
int parse(struct xdp_md *xdp)
{
	struct packet p;

	packet_parse(&p, xdp, PACKET_EGRESS);
	return keep_result(&p);
}

SEC("xdp")
int parse_l3(struct xdp_md *xdp)
{
	struct packet p;

	packet_parse_l3(&p, xdp, PACKET_INGRESS);
	return keep_result(&p);
}

/* The test puts the packet where the first buffer ends, and what is before it is taken away. */
SEC("?xdp.frags")
int parse_split(struct xdp_md *xdp)
{
	struct packet p;

	room = xdp->data_end - xdp->data;
	if (bpf_xdp_adjust_head(xdp, room - linear) < 0)
		return XDP_ABORTED;
	packet_parse(&p, xdp, PACKET_INGRESS);
	return keep_result(&p);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
