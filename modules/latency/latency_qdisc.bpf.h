/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Queueing disciplines: how long packets wait there. */
#pragma once

#include "latency_labels.bpf.h"

/*
 * When packets were queued. A packet that TCP has given a transmit timestamp is known by that, as
 * are the segments that some disciplines cut it into (tbf, netem, cake); any other by its address.
 * A timestamp does not come again, and one day its entry is the oldest and goes. An address does:
 * what is dropped inside takes its entry along, and what is cut into segments without a timestamp
 * is longer than they are, one of which may have its address.
 */
struct queued_packet {
	__u64 since;
	__u32 len;
	__u32 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct queued_packet);
} queued SEC(".maps");

enum { BULK_MAX = 16 }; /* packets that a qdisc hands over at once; of more the rest is not seen */

static __always_inline __u64 identity_of(struct sk_buff *skb)
{
	return skb->tstamp ? skb->tstamp : (__u64)skb;
}

static __always_inline bool is_queued_of_network(struct sk_buff *skb)
{
	__u8 ip_version = ip_version_of(skb->protocol);

	return ip_version && is_of_network(ip_version, network_header_of(DIRECT, skb));
}

static __always_inline void note_queued(struct sk_buff *skb)
{
	__u64 identity = identity_of(skb);
	struct queued_packet packet = {.len = skb->len};

	if (only_network[0] && !is_queued_of_network(skb))
		return;
	packet.since = bpf_ktime_get_ns();
	bpf_map_update_elem(&queued, &identity, &packet, BPF_ANY);
}

static __always_inline void count_dequeued(struct sk_buff *skb, struct latency_qdisc_key *key,
					   __u64 now)
{
	__u64 identity = identity_of(skb);
	const struct queued_packet *found = bpf_map_lookup_elem(&queued, &identity);
	struct queued_packet packet;

	if (!found || (only_network[0] && !is_queued_of_network(skb)))
		return;
	packet = *found;
	if (identity == (__u64)skb) {
		bpf_map_delete_elem(&queued, &identity);
		if (packet.len != skb->len)
			return;
	}
	if (is_recent(packet.since, now) && now - packet.since < AN_HOUR)
		ADD_LATENCY(&qdisc_latency_seconds, *key, now - packet.since);
}

/* Dropped, maybe inside a qdisc; its address is free for another. */
SEC("tp_btf/kfree_skb")
int BPF_PROG(qdisc_drop, struct sk_buff *skb)
{
	__u64 identity = (__u64)skb;

	if (bpf_map_lookup_elem(&queued, &identity))
		bpf_map_delete_elem(&queued, &identity);
	return 0;
}

SEC("tp_btf/qdisc_dequeue")
int BPF_PROG(qdisc_dequeue, struct Qdisc *qdisc, struct netdev_queue *queue, int packets,
	     struct sk_buff *skb)
{
	struct latency_qdisc_key key = {0};
	struct net_device *dev = queue->dev;
	__u64 now = bpf_ktime_get_ns();
	__u32 netns;

	if (!skb)
		return 0;
	bpf_probe_read_kernel(key.kind, sizeof(key.kind), qdisc->ops->id);
	netns = netns_of_device(DIRECT, dev);
	if ((only_own_netns || is_one_interface()) && !is_own_netns(netns))
		return 0;
	if (is_one_interface() && !is_that_interface(dev->ifindex))
		return 0;
	key.netns = by_netns ? netns : 0;
	key.interface = by_interface && is_own_netns(netns) ? dev->ifindex : 0;
	for (int i = 0; i < BULK_MAX && skb; i++) {
		count_dequeued(skb, &key, now);
		skb = skb->next;
	}
	return 0;
}

SEC("tp_btf/qdisc_enqueue")
int BPF_PROG(qdisc_enqueue, struct Qdisc *qdisc, struct netdev_queue *queue, struct sk_buff *skb)
{
	note_queued(skb);
	return 0;
}

/* Before qdisc_enqueue (5.14) from a little before, and also of packets that no qdisc takes: the
 * next to have their address is noted anew. */
SEC("tp_btf/net_dev_queue")
int BPF_PROG(net_dev_queue, struct sk_buff *skb)
{
	note_queued(skb);
	return 0;
}
