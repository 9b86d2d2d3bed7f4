/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Limits. GCRA (ITU-T I.371, annex A) in integers: one number says when a source has paid for what
 * it sent, and a packet is over the limit if that is too far from now. Unlike a counter by the
 * second it never admits more than rate * t + burst, wherever t begins.
 */
#pragma once

#include "guard_counters.bpf.h"

enum { GUARD_CAS_TRIES = 3 };

/* @tat, @now, @cost, @tau: 1/64 ns. */
static __always_inline bool guard_conforms(__u64 tat, __u64 now, __u64 cost, __u64 tau,
					   __u64 *ret_tat)
{
	/* Never backwards: of several CPUs one may be a tick behind. */
	*ret_tat = (tat > now ? tat : now) + cost;
	return *ret_tat - now <= tau;
}

/*
 * Pays @cost, if *@tat allows it. Who loses against another CPU three times is admitted, and
 * counted. Without compare-and-swap (Linux before 5.12) the loser's cost is not paid, and nobody
 * notices: there a source may send as many packets more as CPUs decide about it at one moment.
 */
static __always_inline bool guard_pay(const struct packet *p, __u64 *tat, __u64 now, __u64 cost,
				      __u64 tau)
{
	for (int i = 0; i < GUARD_CAS_TRIES; i++) {
		__u64 was = *(volatile __u64 *)tat, next;

		if (!guard_conforms(was, now, cost, tau, &next))
			return false;
		if (!p->cmpxchg) {
			*(volatile __u64 *)tat = next;
			return true;
		}
		if (__sync_val_compare_and_swap(tat, was, next) == was)
			return true;
	}
	guard_count_trouble(GUARD_CAS_LOST);
	return true;
}

static __always_inline __u64 guard_time(__u64 ns)
{
	return ns << GUARD_TIME_BITS;
}

static __always_inline __u64 guard_bytes_cost(const struct packet *p, const struct guard_rate *rate)
{
	return p->len * rate->byte_cost >> GUARD_BYTE_COST_BITS;
}

/* Both limits, or neither: a packet that is too long has not been sent. */
static __always_inline bool guard_pay_rate(const struct guard_packet *g,
					   const struct guard_rate *rate)
{
	struct guard_source *source = g->source;
	__u64 now = guard_time(g->now), cost = 0, next;

	if (rate->byte_cost) {
		cost = guard_bytes_cost(g->p, rate);
		if (!guard_conforms(source->bytes_tat, now, cost, rate->byte_tau, &next))
			return false;
	}
	if (rate->packet_cost &&
	    !guard_pay(g->p, &source->packets_tat, now, rate->packet_cost, rate->packet_tau))
		return false;
	return !rate->byte_cost || guard_pay(g->p, &source->bytes_tat, now, cost, rate->byte_tau);
}

static __always_inline bool guard_is_within_source_limit(const struct guard_packet *g)
{
	const struct guard_rate *rate;
	__u32 index = g->rate;

	if (!g->source || (!index && !(g->flags & GUARD_SOURCE_RATE)))
		return true;
	rate = bpf_map_lookup_elem(&guard_rates, &index);
	return !rate || guard_pay_rate(g, rate);
}

/* ---- ports: a limit of all CPUs together ---- */

/* Pays out of what this CPU has drawn, or draws as much again. */
static __always_inline bool guard_draw(const struct packet *p, __u64 *tat, __u64 *credit, __u64 now,
				       __u64 cost, __u64 tau, __u64 batch)
{
	if (*credit >= cost) {
		*credit -= cost;
		return true;
	}
	if (batch > cost && guard_pay(p, tat, now, batch, tau)) {
		*credit += batch - cost;
		return true;
	}
	return guard_pay(p, tat, now, cost, tau);
}

static __always_inline bool guard_draw_port(const struct guard_packet *g,
					    struct guard_port_limit *limit,
					    struct guard_port_credit *credit)
{
	const struct guard_rate *rate = &limit->rate;
	__u64 now = guard_time(g->now);

	if (rate->packet_cost &&
	    !guard_draw(g->p, &limit->packets_tat, &credit->packets, now, rate->packet_cost,
			rate->packet_tau, limit->packets_batch))
		return false;
	if (!rate->byte_cost ||
	    guard_draw(g->p, &limit->bytes_tat, &credit->bytes, now, guard_bytes_cost(g->p, rate),
		       rate->byte_tau, limit->bytes_batch))
		return true;
	credit->packets += rate->packet_cost; /* it has not been sent */
	return false;
}

static __always_inline __u32 guard_find_port_limit(const struct packet *p)
{
	__u32 port = p->destination_port;
	const __u16 *index;

	if (p->protocol == IPPROTO_UDP)
		port += GUARD_PORTS;
	else if (p->protocol != IPPROTO_TCP)
		return 0;
	if (p->status != PACKET_WHOLE || p->fragment == PACKET_FRAGMENT_LATER)
		return 0;
	index = bpf_map_lookup_elem(&guard_port_rates, &port);
	return index ? *index : 0;
}

static __always_inline bool guard_is_within_port_limit(const struct guard_packet *g)
{
	struct guard_port_limit *limit;
	struct guard_port_credit *credit;
	__u32 index;

	if (!(g->flags & GUARD_PORT_LIMITS))
		return true;
	index = guard_find_port_limit(g->p);
	if (!index)
		return true;
	limit = bpf_map_lookup_elem(&guard_port_limits, &index);
	credit = bpf_map_lookup_elem(&guard_port_credit, &index);
	return !limit || !credit || guard_draw_port(g, limit, credit);
}
