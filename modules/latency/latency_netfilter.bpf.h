/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Netfilter: what a hook's chains cost a packet. */
#pragma once

#include "latency_labels.bpf.h"

/*
 * Packets in the chains that this CPU works on, and since when. They go through them on one CPU and
 * without a pause, so that few places are enough: direct-mapped by what is the same at both ends,
 * and a packet whose place was taken by another is not counted.
 */
struct passage {
	__u64 id; /* address of the packet, or of the call's frame; 0: nobody */
	__u64 since;
	struct latency_netfilter_key key;
};

enum { PASSAGES = 16, PASSAGE_ALIGNMENT_LOG2 = 8 };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PASSAGES);
	__type(key, __u32);
	__type(value, struct passage);
} netfilter_passages SEC(".maps");

static __always_inline struct passage *passage_of(__u64 id)
{
	__u32 place = (id >> PASSAGE_ALIGNMENT_LOG2) % PASSAGES;

	return bpf_map_lookup_elem(&netfilter_passages, &place);
}

/* A hook has a device that the packet came by, one that it leaves by, or both. */
static __always_inline bool is_hook_of_interface(const bool direct, struct nf_hook_state *state)
{
	struct net_device *in = READ(direct, state, in), *out = READ(direct, state, out);

	return (in && is_that_interface(READ(direct, in, ifindex))) ||
	       (out && is_that_interface(READ(direct, out, ifindex)));
}

static __always_inline bool is_hook_wanted(const bool direct, struct sk_buff *skb,
					   struct nf_hook_state *state, __u32 netns)
{
	__u8 ip_version = READ(direct, state, pf) == AF_INET ? 4 : 6;

	if ((only_own_netns || is_one_interface()) && !is_own_netns(netns))
		return false;
	if (is_one_interface() && !is_hook_of_interface(direct, state))
		return false;
	return !only_network[0] || is_of_network(ip_version, network_header_of(direct, skb));
}

static __always_inline void enter_netfilter(const bool direct, __u64 id, struct sk_buff *skb,
					    struct nf_hook_state *state)
{
	struct passage *passage = passage_of(id);
	__u8 family = READ(direct, state, pf);
	__u32 netns = 0;

	/* Bridges, ARP and devices have hooks as well. */
	if (!passage || (family != AF_INET && family != AF_INET6))
		return;
	if (by_netns || only_own_netns || is_one_interface())
		netns = netns_of(direct, READ(direct, state, net));
	if (!is_hook_wanted(direct, skb, state, netns)) {
		passage->id = 0; /* of another that was not seen to leave */
		return;
	}
	passage->id = id;
	passage->key = (struct latency_netfilter_key){
		.hook = READ(direct, state, hook),
		.ip_version = family == AF_INET ? 4 : 6,
		.netns = by_netns ? netns : 0,
	};
	passage->since = bpf_ktime_get_ns();
}

/* Nobody stays on a CPU for a second: that is another's passage, of which the end was not seen. */
static __always_inline void leave_netfilter(__u64 id)
{
	__u64 now = bpf_ktime_get_ns();
	struct passage *passage = passage_of(id);
	struct latency_netfilter_key key;

	if (!passage || passage->id != id)
		return;
	passage->id = 0;
	key = passage->key;
	if (is_recent(passage->since, now) && now - passage->since < NSEC_PER_SEC)
		ADD_LATENCY(&netfilter_latency_seconds, key, now - passage->since);
}

/*
 * nf_hook_slow(skb, state, …) is the walk through a hook's chains, and is not called where there
 * are none. Packets that end there count as well.
 */
SEC("?fexit/nf_hook_slow")
int BPF_PROG(fexit_nf_hook_slow, struct sk_buff *skb)
{
	leave_netfilter((__u64)skb);
	return 0;
}

SEC("?fentry/nf_hook_slow")
int BPF_PROG(fentry_nf_hook_slow, struct sk_buff *skb, struct nf_hook_state *state)
{
	enter_netfilter(DIRECT, (__u64)skb, skb, state);
	return 0;
}

/* At a return probe there are no arguments any more, but the stack pointer is that of the call, or
 * one address above where the return address was on the stack. */
#ifdef bpf_target_x86
enum { RETURN_ADDRESS_SIZE = 8 };
#else
enum { RETURN_ADDRESS_SIZE = 0 };
#endif

SEC("?kretprobe/nf_hook_slow")
int kretprobe_nf_hook_slow(struct pt_regs *ctx)
{
	leave_netfilter(PT_REGS_SP(ctx) - RETURN_ADDRESS_SIZE);
	return 0;
}

SEC("?kprobe/nf_hook_slow")
int BPF_KPROBE(kprobe_nf_hook_slow, struct sk_buff *skb, struct nf_hook_state *state)
{
	enter_netfilter(PROBED, PT_REGS_SP(ctx), skb, state);
	return 0;
}

/* The first and the last of a hook: packets that end between are not counted, and one that later
 * has the address of such a one enters first. */
SEC("netfilter")
int netfilter_first(struct bpf_nf_ctx *ctx)
{
	enter_netfilter(DIRECT, (__u64)ctx->skb, ctx->skb, ctx->state);
	return NF_ACCEPT;
}

SEC("netfilter")
int netfilter_last(struct bpf_nf_ctx *ctx)
{
	leave_netfilter((__u64)ctx->skb);
	return NF_ACCEPT;
}
