/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Gives each packet an 802.1Q tag, which the kernel keeps aside, as a VLAN device does, and sends
 * it on through the interface that its mark names (SO_MARK). */
#include <linux/bpf.h>
#include <linux/if_ether.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int tag(struct __sk_buff *skb)
{
	bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 100);
	return (int)bpf_redirect(skb->mark, 0);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
