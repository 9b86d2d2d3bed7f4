/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A program for each hook that rows of `attach:` have; each counts how often it ran. None is loaded
 * unless a row asks for it, since no kernel has all of these hooks.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

enum program {
	XDP,
	XDP_OTHER,
	NETFILTER,
	SKB_INGRESS,
	SKB_EGRESS,
	SOCK_OPS,
	CONNECT4,
	PERF_EVENT,
	MAPS,
	MAP_ELEM,
	TCX,
	PROGRAMS
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PROGRAMS);
	__type(key, __u32);
	__type(value, __u64);
} runs_total SEC(".maps");

/* What the iterator goes through. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 7);
	__type(key, __u32);
	__type(value, __u64);
} seven SEC(".maps");

static __always_inline void count(__u32 program)
{
	__u64 *runs = bpf_map_lookup_elem(&runs_total, &program);

	if (runs)
		__sync_fetch_and_add(runs, 1);
}

SEC("?xdp")
int on_xdp(struct xdp_md *xdp)
{
	(void)xdp;
	count(XDP);
	return XDP_PASS;
}

SEC("?xdp")
int on_xdp_other(struct xdp_md *xdp)
{
	(void)xdp;
	count(XDP_OTHER);
	return XDP_PASS;
}

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct net_device {
	int ifindex;
};

struct nf_hook_state {
	struct net_device *in;
};

struct bpf_nf_ctx {
	const struct nf_hook_state *state;
};

#pragma clang attribute pop

enum { LOOPBACK_IFINDEX = 1 }; /* include/net/flow.h */

/* The test itself asks over lo. */
SEC("?netfilter")
int on_netfilter(struct bpf_nf_ctx *ctx)
{
	struct net_device *in = ctx->state->in;

	if (in && in->ifindex != LOOPBACK_IFINDEX)
		count(NETFILTER);
	return 1; /* NF_ACCEPT */
}

SEC("?cgroup_skb/ingress")
int on_skb_ingress(struct __sk_buff *skb)
{
	(void)skb;
	count(SKB_INGRESS);
	return 1;
}

SEC("?cgroup_skb/egress")
int on_skb_egress(struct __sk_buff *skb)
{
	(void)skb;
	count(SKB_EGRESS);
	return 1;
}

SEC("?sockops")
int on_sock_ops(struct bpf_sock_ops *ops)
{
	if (ops->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB)
		count(SOCK_OPS);
	return 1;
}

SEC("?cgroup/connect4")
int on_connect4(struct bpf_sock_addr *address)
{
	(void)address;
	count(CONNECT4);
	return 1;
}

SEC("?perf_event")
int on_perf_event(void *ctx)
{
	(void)ctx;
	count(PERF_EVENT);
	return 0;
}

struct bpf_iter__bpf_map {
	void *meta;
	void *map;
};

/* Once each time that it goes round. */
SEC("?iter/bpf_map")
int on_maps(struct bpf_iter__bpf_map *ctx)
{
	if (!ctx->map)
		count(MAPS);
	return 0;
}

struct bpf_iter__bpf_map_elem {
	void *meta;
	void *map;
	void *key;
	void *value;
};

SEC("?iter/bpf_map_elem")
int on_map_elem(struct bpf_iter__bpf_map_elem *ctx)
{
	if (ctx->key)
		count(MAP_ELEM);
	return 0;
}

/* As newer versions of libbpf want it; attached by clsact where there is no TCX. */
SEC("?tcx/ingress")
int on_tcx(struct __sk_buff *skb)
{
	(void)skb;
	count(TCX);
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
