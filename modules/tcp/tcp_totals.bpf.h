/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What is counted: by which labels, and histograms in values. */
#pragma once

#include "tcp_maps.bpf.h"

/* IPv4 in an IPv6 socket is IPv4: ::ffff:a.b.c.d. */
static __always_inline bool is_v4_mapped(const struct in6_addr *a)
{
	return !a->s6_addr32[0] && !a->s6_addr32[1] && a->s6_addr32[2] == bpf_htonl(0xffff);
}

static __always_inline __u8 ip_version(const struct sock_common *skc)
{
	struct in6_addr peer;

	if (BPF_CORE_READ(skc, skc_family) != AF_INET6)
		return 4;
	BPF_CORE_READ_INTO(&peer, skc, skc_v6_daddr);
	return is_v4_mapped(&peer) ? 4 : 6;
}

static __always_inline __u64 cgroup_id(const struct sock *sk)
{
	const struct sock_cgroup_data___tagged *tagged = (const void *)&sk->sk_cgrp_data;
	const struct cgroup *cgroup;
	__u64 value;

	if (bpf_core_field_exists(struct sock_cgroup_data, cgroup)) {
		cgroup = BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
	} else {
		value = BPF_CORE_READ(tagged, val);
		cgroup = value & 1 ? NULL : (const struct cgroup *)(value & ~3ULL);
	}
	return BPF_CORE_READ(cgroup, kn, id);
}

/* The labels that were asked for. BPF_CORE_READ throughout: where @sk comes from a tracepoint that
 * may give NULL, all of it is then 0. */
static __always_inline struct tcp_key key_of(const struct sock *sk, __u8 kind, __u16 detail)
{
	struct tcp_key key = {.kind = kind, .detail = detail};

	if (tcp_by_netns)
		key.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	if (tcp_by_ip_version)
		key.ip_version = ip_version(&sk->__sk_common);
	if (tcp_by_cgroup)
		key.cgroup = cgroup_id(sk);
	return key;
}

/* Of a packet that arrived. Its device, or where that is forgotten already, that of its route. */
static __always_inline __u32 netns_of(const struct sk_buff *skb)
{
	struct net_device *device = BPF_CORE_READ(skb, dev);
	struct dst_entry *route;

	if (!device) {
		route = (void *)(BPF_CORE_READ(skb, _skb_refdst) & ~1UL); /* SKB_DST_NOREF */
		device = BPF_CORE_READ(route, dev);
	}
	return BPF_CORE_READ(device, nd_net.net, ns.inum);
}

static __always_inline void count(void *map, const struct sock *sk, __u8 kind, __u16 detail,
				  __u64 amount)
{
	struct tcp_key key;

	if (!amount)
		return;
	key = key_of(sk, kind, detail);
	map_add(map, &key, amount);
}

/* --- histograms in values */

static __always_inline void add(__u64 *number, __u64 amount)
{
	__sync_fetch_and_add(number, amount);
}

static __always_inline void observe_latency(__u64 *buckets, __u64 *sum, __u64 ns)
{
	__u64 units = histogram_scale_ns(ns);
	__u32 bucket = histogram_native_bucket(units, TCP_LATENCY_SCHEMA, TCP_LATENCY_MIN,
					       TCP_LATENCY_MAX) -
		       TCP_LATENCY_MIN;

	if (bucket < TCP_LATENCY_BUCKETS) /* it is, but the verifier does not know */
		add(&buckets[bucket], 1);
	add(sum, units);
}

static __always_inline void observe_duration(struct tcp_role_totals *totals, __u64 ns)
{
	__u64 units = histogram_scale_ns(ns);
	__u32 bucket = histogram_native_bucket(units, TCP_DURATION_SCHEMA, TCP_DURATION_MIN,
					       TCP_DURATION_MAX) -
		       TCP_DURATION_MIN;

	if (bucket < TCP_DURATION_BUCKETS)
		add(&totals->duration[bucket], 1);
	add(&totals->duration_sum, units);
}

static __always_inline void observe_segments(__u64 *buckets, __u64 *sum, __u32 segments)
{
	__u32 bucket = histogram_exp2_bucket(segments, 0, TCP_WINDOW_MAX);

	if (bucket < TCP_WINDOW_BUCKETS)
		add(&buckets[bucket], 1);
	add(sum, segments);
}

static __always_inline struct tcp_role_totals *totals_of(const struct sock *sk, __u8 role)
{
	struct tcp_key key = key_of(sk, role, 0);

	return map_find_or_add(&tcp_by_role, &key, &no_role_totals);
}
