/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What guard says of itself: counters by reason and verdict, and samples of what it drops. */
#pragma once

#include "guard_packet.bpf.h"

enum { GUARD_VLAN_MASK = 0xfff }; /* of a TCI: the rest is priority */

static __always_inline void guard_count(const struct packet *p, __u32 reason, __u32 verdict)
{
	__u32 index = reason << 2 | verdict;
	struct guard_count *count = bpf_map_lookup_elem(&guard_counters, &index);

	if (!count)
		return;
	count->packets++;
	count->bytes += p->len;
}

static __always_inline void guard_count_trouble(__u32 trouble)
{
	__u64 *count = bpf_map_lookup_elem(&guard_troubles, &trouble);

	if (count)
		(*count)++;
}

/* One a CPU every sample_ns. */
static __always_inline bool guard_may_sample(const struct guard_packet *g)
{
	const __u32 first = 0;
	struct guard_cpu *cpu;

	if (!records_wanted(guard_samples))
		return false;
	cpu = bpf_map_lookup_elem(&guard_cpus, &first);
	if (!cpu || cpu->next_sample_ns > g->now)
		return false;
	cpu->next_sample_ns = g->now + g->settings->sample_ns;
	return true;
}

static __always_inline void guard_send_sample(const struct guard_packet *g, __u32 reason,
					      __u32 verdict)
{
	const struct packet *p = g->p;
	struct guard_sample sample = {
		.time_ns = g->now,
		.interface = p->interface,
		.bytes = p->len,
		.source_port = p->source_port,
		.destination_port = p->destination_port,
		.vlan = p->vlan & GUARD_VLAN_MASK,
		.ethertype = p->ethertype,
		.protocol = p->protocol,
		.ip_version = p->ip_version,
		.tcp_flags = p->tcp_flags,
		.reason = reason,
		.verdict = verdict,
	};

	__builtin_memcpy(sample.source, g->from, sizeof(sample.source));
	__builtin_memcpy(sample.destination, g->to, sizeof(sample.destination));
	records_send(guard_samples, &sample);
}

static __always_inline void guard_sample(const struct guard_packet *g, __u32 reason, __u32 verdict)
{
	if (guard_may_sample(g))
		guard_send_sample(g, reason, verdict);
}
