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

static __always_inline struct guard_cpu *guard_this_cpu(void)
{
	const __u32 first = 0;

	return bpf_map_lookup_elem(&guard_cpus, &first);
}

static __always_inline void guard_fill_sample(const struct guard_packet *g, __u32 reason,
					      __u32 verdict, struct guard_sample *sample)
{
	const struct packet *p = g->p;

	sample->time_ns = g->now;
	__builtin_memcpy(sample->source, g->from, sizeof(sample->source));
	__builtin_memcpy(sample->destination, g->to, sizeof(sample->destination));
	sample->interface = p->interface;
	sample->bytes = p->len;
	sample->source_port = p->source_port;
	sample->destination_port = p->destination_port;
	sample->vlan = p->vlan & GUARD_VLAN_MASK;
	sample->ethertype = p->ethertype;
	sample->protocol = p->protocol;
	sample->ip_version = p->ip_version;
	sample->tcp_flags = p->tcp_flags;
	sample->reason = reason;
	sample->verdict = verdict;
}

/* One a CPU every sample_ns. */
static __always_inline void guard_sample(const struct guard_packet *g, __u32 reason, __u32 verdict)
{
	struct guard_cpu *cpu;

	if (!records_wanted(guard_samples))
		return;
	cpu = guard_this_cpu();
	if (!cpu || cpu->next_sample_ns > g->now)
		return;
	cpu->next_sample_ns = g->now + g->settings->sample_ns;
	guard_fill_sample(g, reason, verdict, &cpu->sample);
	records_send(guard_samples, &cpu->sample);
}
