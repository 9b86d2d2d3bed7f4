/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The least that a TC program can do: what the pipeline is measured against. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

SEC("tc")
int bare(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
