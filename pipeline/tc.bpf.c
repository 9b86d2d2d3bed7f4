/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The TC pipeline: each packet is parsed once and handed to the stages that are enabled, in order
 * (see stage.bpf.h). Four programs, as direction and link layer are facts of where one is attached:
 * so they are constants in the code instead of questions asked about every packet.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include "interface.bpf.h"
#include "stage.bpf.h"

/* Made by the build from the manifests: the switches, tc_any_stage() and tc_run_stages(). */
#include "tc.stages.h"

/* Once for all stages. Nothing while all is in one network namespace. */
static __always_inline void set_interface(struct packet *p)
{
	if (interface_own_netns)
		p->interface = interface_id(p->skb);
}

SEC("tc")
int tc_ingress(struct __sk_buff *skb)
{
	struct packet p;

	if (!tc_any_stage())
		return TC_ACT_UNSPEC;
	packet_parse(&p, skb, PACKET_INGRESS);
	set_interface(&p);
	return tc_run_stages(&p);
}

SEC("tc")
int tc_egress(struct __sk_buff *skb)
{
	struct packet p;

	if (!tc_any_stage())
		return TC_ACT_UNSPEC;
	packet_parse(&p, skb, PACKET_EGRESS);
	set_interface(&p);
	return tc_run_stages(&p);
}

/* Devices without a link layer: tun, ipip, wireguard … */
SEC("tc")
int tc_l3_ingress(struct __sk_buff *skb)
{
	struct packet p;

	if (!tc_any_stage())
		return TC_ACT_UNSPEC;
	packet_parse_l3(&p, skb, PACKET_INGRESS);
	set_interface(&p);
	return tc_run_stages(&p);
}

SEC("tc")
int tc_l3_egress(struct __sk_buff *skb)
{
	struct packet p;

	if (!tc_any_stage())
		return TC_ACT_UNSPEC;
	packet_parse_l3(&p, skb, PACKET_EGRESS);
	set_interface(&p);
	return tc_run_stages(&p);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
