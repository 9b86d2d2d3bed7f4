/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The parser alone, for tests: programs that parse and leave what was found in a map. Those that
 * first change the packet make what BPF_PROG_TEST_RUN cannot give: a tag that is kept aside, a
 * packet that is cut where the kernel would refuse it, a packet whose headers are not in the linear
 * part.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

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

static __always_inline int keep_result(struct packet *p)
{
	__u32 zero = 0;
	struct result *result = bpf_map_lookup_elem(&results, &zero);

	if (!result)
		return TC_ACT_SHOT;
	packet_segments(p, &result->segments);
	p->skb = NULL;
	result->packet = *p;
	return TC_ACT_UNSPEC;
}

SEC("tc")
int parse(struct __sk_buff *skb)
{
	struct packet p;

	packet_parse(&p, skb, PACKET_EGRESS);
	return keep_result(&p);
}

SEC("tc")
int parse_l3(struct __sk_buff *skb)
{
	struct packet p;

	packet_parse_l3(&p, skb, PACKET_INGRESS);
	return keep_result(&p);
}

/* cb[0]: the tag to keep aside. */
SEC("tc")
int parse_aside(struct __sk_buff *skb)
{
	struct packet p;

	if (bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), skb->cb[0]) < 0)
		return TC_ACT_SHOT;
	packet_parse(&p, skb, PACKET_INGRESS);
	return keep_result(&p);
}

/* cb[0]: the length to cut the packet to. */
SEC("tc")
int parse_cut(struct __sk_buff *skb)
{
	struct packet p;

	if (bpf_skb_change_tail(skb, skb->cb[0], 0) < 0)
		return TC_ACT_SHOT;
	packet_parse(&p, skb, PACKET_INGRESS);
	return keep_result(&p);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
