/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What is attacked, and how it is defended: for each destination what user space needs to see to
 * tell a flood from a busy day, and what it orders then.
 */
#pragma once

#include "guard_limits.bpf.h"

/* Sources by /24 or /48, in two rows of the sketch; destination ports in two others. */
struct guard_places {
	__u32 columns[GUARD_SKETCH_ROWS];
};

static __always_inline void guard_find_slot(struct guard_packet *g)
{
	g->slot = guard_destination_slot(g->to, g->p->destination_port, g->p->protocol,
					 g->settings->seed);
}

/* ---- the sketch ---- */

static __always_inline void guard_find_places(const struct guard_packet *g, struct guard_places *at)
{
	const struct packet *p = g->p;
	__u64 network = p->ip_version == 4 ? g->key >> 8 : g->key >> 16;
	__u64 port = (__u64)p->destination_port << 8 | p->protocol;
	__u64 source = guard_hash(p->ip_version, network, g->settings->seed);
	__u64 destination = guard_hash(0, port, g->settings->seed);

	at->columns[0] = source & (GUARD_SKETCH_COLUMNS - 1);
	at->columns[1] = source >> 32 & (GUARD_SKETCH_COLUMNS - 1);
	at->columns[2] = destination & (GUARD_SKETCH_COLUMNS - 1);
	at->columns[3] = destination >> 32 & (GUARD_SKETCH_COLUMNS - 1);
}

static __always_inline struct guard_sketch *guard_find_sketch(const struct guard_packet *g,
							      bool is_counted)
{
	__u32 half = (g->settings->sketch_half ^ !is_counted) & 1;

	return bpf_map_lookup_elem(&guard_sketch, &half);
}

static __always_inline void guard_add_to_sketch(const struct guard_packet *g)
{
	struct guard_sketch *sketch = guard_find_sketch(g, true);
	struct guard_places at;

	if (!sketch)
		return;
	guard_find_places(g, &at);
	for (__u32 row = 0; row < GUARD_SKETCH_ROWS; row++)
		sketch->counts[row][at.columns[row]]++;
}

/* How often the source's network was counted in the half that is complete; never too little. */
static __always_inline __u32 guard_estimate(const struct guard_packet *g)
{
	const struct guard_sketch *sketch = guard_find_sketch(g, false);
	struct guard_places at;
	__u32 a, b;

	if (!sketch)
		return 0;
	guard_find_places(g, &at);
	a = sketch->counts[0][at.columns[0]];
	b = sketch->counts[1][at.columns[1]];
	return a < b ? a : b;
}

/* ---- what is seen ---- */

static __always_inline void guard_name_destination(const struct guard_packet *g,
						   struct guard_destination *destination)
{
	__builtin_memcpy(destination->address, g->to, sizeof(destination->address));
	destination->port = g->p->destination_port;
	destination->protocol = g->p->protocol;
}

/* One packet of GUARD_SKETCH_SAMPLE, in no order that anybody keeps time with. */
static __always_inline bool guard_is_in_sketch(__u64 packets)
{
	return (__u32)packets * 0x9e3779b1U < (1ULL << 32) / GUARD_SKETCH_SAMPLE;
}

static __always_inline void guard_see_destination(const struct guard_packet *g, __u32 verdict)
{
	__u32 slot = g->slot;
	struct guard_destination *destination = bpf_map_lookup_elem(&guard_destinations, &slot);

	if (!destination)
		return;
	destination->packets++;
	destination->bytes += g->p->len;
	if (guard_is_syn(g->p))
		destination->syns++;
	else if (guard_is_ack(g->p))
		destination->acks++;
	if (g->is_new)
		destination->new_sources++;
	if (verdict == GUARD_DROPPED || verdict == GUARD_WOULD_DROP)
		destination->dropped++;
	else if (verdict == GUARD_ANSWERED)
		destination->answered++;
	if (guard_is_in_sketch(destination->packets)) {
		guard_name_destination(g, destination);
		guard_add_to_sketch(g);
	}
}

/* ---- what is ordered ---- */

static __always_inline const struct guard_defence *guard_find_defence(const struct guard_packet *g)
{
	__u32 slot = g->slot; /* a copy: what a helper gets the address of is not in registers */

	if (!(g->flags & GUARD_DEFENCE) || g->is_silent)
		return NULL;
	return bpf_map_lookup_elem(&guard_defence, &slot);
}

static __always_inline bool guard_is_heavy_hitter(const struct guard_packet *g, __u32 fair)
{
	__u64 estimate = guard_estimate(g);

	/* Dropped with a probability of 1 - fair / estimate, without a division. */
	return estimate > fair && (estimate * bpf_get_prandom_u32() >> 32) >= fair;
}

/* NONE: the packet is not among those that are too many. */
static __always_inline __u32 guard_defend(const struct guard_packet *g,
					  const struct guard_defence *defence)
{
	bool is_proven = g->source && g->source->said & GUARD_SAID_PROVEN;

	if (!defence)
		return GUARD_REASON_NONE;
	if (defence->drop_share && !is_proven && bpf_get_prandom_u32() < defence->drop_share)
		return GUARD_REASON_DROP_SHARE;
	if (defence->fair_share && guard_is_heavy_hitter(g, defence->fair_share))
		return GUARD_REASON_HEAVY_HITTER;
	return GUARD_REASON_NONE;
}
