/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Softirqs: how long those of the network wait, and run. */
#pragma once

#include "latency_maps.bpf.h"

/* When a vector was raised and when its handler began, on this CPU; 0: not. */
struct softirq {
	__u64 raised;
	__u64 entered;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NR_SOFTIRQS);
	__type(key, __u32);
	__type(value, struct softirq);
} softirqs SEC(".maps");

static __always_inline struct softirq *network_softirq(__u32 vector)
{
	if (vector != NET_RX_SOFTIRQ && vector != NET_TX_SOFTIRQ)
		return NULL;
	return bpf_map_lookup_elem(&softirqs, &vector);
}

SEC("tp_btf/softirq_exit")
int BPF_PROG(softirq_exit, __u32 vector)
{
	struct latency_softirq_key key = {.vector = (__u8)vector};
	struct softirq *softirq = network_softirq(vector);
	__u64 now = bpf_ktime_get_ns();
	__u64 entered;

	if (!softirq || !softirq->entered)
		return 0;
	entered = softirq->entered;
	softirq->entered = 0;
	if (is_recent(entered, now))
		ADD_LATENCY(&softirq_run_seconds, key, now - entered);
	return 0;
}

SEC("tp_btf/softirq_entry")
int BPF_PROG(softirq_entry, __u32 vector)
{
	struct latency_softirq_key key = {.vector = (__u8)vector};
	struct softirq *softirq = network_softirq(vector);
	__u64 waited;
	bool recent;

	if (!softirq)
		return 0;
	softirq->entered = bpf_ktime_get_ns();
	if (!softirq->raised)
		return 0;
	recent = is_recent(softirq->raised, softirq->entered);
	waited = softirq->entered - softirq->raised;
	softirq->raised = 0;
	if (recent)
		ADD_LATENCY(&softirq_wait_seconds, key, waited);
	return 0;
}

SEC("tp_btf/softirq_raise")
int BPF_PROG(softirq_raise, __u32 vector)
{
	struct softirq *softirq = network_softirq(vector);
	__u64 now = bpf_ktime_get_ns();

	/* Again while it waits: the first time counts. */
	if (softirq && !(softirq->raised && is_recent(softirq->raised, now)))
		softirq->raised = now;
	return 0;
}
