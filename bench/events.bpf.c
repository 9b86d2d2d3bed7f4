/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* An event for each packet: what the pipeline's counting in the kernel is compared with. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"
#include "packet.bpf.h"

#include "events.h"

const volatile __u64 wakeup_flags = 0; /* BPF_RB_… */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} events SEC(".maps");

/* Packets that found no room there. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} events_lost SEC(".maps");

static __always_inline int send_event(const struct packet *p)
{
	struct packet_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		__u32 zero = 0;

		map_add(&events_lost, &zero, 1);
		return TC_ACT_UNSPEC;
	}
	event->interface = p->skb->ifindex;
	event->bytes = p->skb->len;
	event->protocol = p->ip_version ? p->protocol : p->ethertype;
	event->direction = p->direction;
	event->ip_version = p->ip_version;
	bpf_ringbuf_submit(event, wakeup_flags);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int events_ingress(struct __sk_buff *skb)
{
	struct packet p;

	packet_parse(&p, skb, PACKET_INGRESS);
	return send_event(&p);
}

SEC("tc")
int events_egress(struct __sk_buff *skb)
{
	struct packet p;

	packet_parse(&p, skb, PACKET_EGRESS);
	return send_event(&p);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
