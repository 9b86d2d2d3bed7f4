/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The least that a TC program can do, which the pipeline is measured against; and what gives each
 * packet a flow of its own before either. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include "spread.bpf.h"

SEC("tc")
int bare(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}

SEC("tc")
int spread(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (spread_packet(data, end))
		bpf_tail_call(skb, &measured, 0);
	return TC_ACT_SHOT;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
