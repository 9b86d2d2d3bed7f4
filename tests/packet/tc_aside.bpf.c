/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The TC pipeline, and in front of it what a network card does that takes the outermost tag off and
 * keeps it aside: BPF_PROG_TEST_RUN has no way to say so.
 */
#include "../../pipeline/tc.bpf.c"

/* cb[0]: the tag to keep aside. */
SEC("tc")
int tc_aside(struct __sk_buff *skb)
{
	struct packet p;

	if (bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), skb->cb[0]) < 0)
		return TC_ACT_SHOT;
	packet_parse(&p, skb, PACKET_INGRESS);
	return tc_run_stages(&p);
}
