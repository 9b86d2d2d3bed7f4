/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Who sends. All that is to be known of a source is in one entry, so that a packet costs one
 * look-up: what the lists said when they were last asked, and how much it has sent.
 */
#pragma once

#include "guard_limits.bpf.h"
#include "guard_lists.bpf.h"

/* Whether the answer holds for all of the source's addresses, and so may be kept. */
static __always_inline bool guard_is_answer_kept(const struct guard_packet *g)
{
	return g->p->ip_version == 4 || !(g->flags & GUARD_LONG_IPV6);
}

/* The end of the ban that was found. */
static __always_inline __u64 guard_until(__u32 verdict)
{
	const struct guard_cpu *cpu;

	if (verdict != GUARD_REASON_BANNED)
		return 0;
	cpu = guard_this_cpu();
	return cpu ? cpu->until_ns : 0;
}

/* What is new costs a write into the map: a flood of sources that nobody sees again must not make
 * each of them pay it, nor push out those that are known. */
static __always_inline bool guard_may_insert(const struct guard_settings *settings, __u64 now)
{
	struct guard_cpu *cpu = guard_this_cpu();
	__u64 next;

	if (!cpu)
		return false;
	if (!settings->insert_cost)
		return true;
	if (!guard_conforms(cpu->insert_tat, guard_time(now), settings->insert_cost,
			    settings->insert_tau, &next))
		return false;
	cpu->insert_tat = next;
	return true;
}

/* @judged: of guard_judge(). By itself, as the stack is too small for all of what is seldom. */
__noinline int guard_insert_source(__u64 key, __u64 now, __u32 judged)
{
	const __u32 first = 0;
	const struct guard_settings *settings = bpf_map_lookup_elem(&guard_settings, &first);
	struct guard_source source = {
		.since_ns = now,
		.rate = judged >> GUARD_JUDGED_RATE_SHIFT,
		.verdict = judged & GUARD_JUDGED_VERDICT,
	};

	if (!settings || !guard_may_insert(settings, now))
		return 0;
	source.until_ns = guard_until(source.verdict);
	source.generation = settings->generation;
	bpf_map_update_elem(&guard_sources, &key, &source, BPF_NOEXIST);
	return 0;
}

static __always_inline void guard_add_source(struct guard_packet *g, __u32 judged)
{
	__u64 key = g->key;

	g->is_new = true;
	guard_insert_source(key, g->now, judged);
	g->source = bpf_map_lookup_elem(&guard_sources, &key);
	if (!g->source)
		guard_count_trouble(GUARD_SOURCES_FULL);
}

static __always_inline void guard_keep_answer(struct guard_packet *g)
{
	g->source->until_ns = guard_until(g->verdict);
	g->source->rate = g->rate;
	g->source->verdict = g->verdict;
	g->source->generation = g->settings->generation;
}

static __always_inline void guard_ask(struct guard_packet *g)
{
	__u32 judged = guard_judge(g->from[0], g->from[1], g->now, g->p->ip_version == 6);

	g->verdict = judged & GUARD_JUDGED_VERDICT;
	g->rate = judged >> GUARD_JUDGED_RATE_SHIFT;
	if (g->source)
		guard_keep_answer(g);
	else
		guard_add_source(g, judged);
}

static __always_inline bool guard_is_answer_good(const struct guard_packet *g)
{
	const struct guard_source *source = g->source;

	if (!source || source->generation != g->settings->generation || !guard_is_answer_kept(g))
		return false;
	return source->verdict != GUARD_REASON_BANNED || !source->until_ns ||
	       source->until_ns > g->now;
}

static __always_inline void guard_find_source(struct guard_packet *g)
{
	__u64 key = g->key;

	g->source = bpf_map_lookup_elem(&guard_sources, &key);
	if (guard_is_answer_good(g)) {
		g->verdict = g->source->verdict;
		g->rate = g->source->rate;
	} else {
		guard_ask(g);
	}
}

/* ---- profile: simple ---- */

/* Until when, or 0: there was no room. */
__noinline __u64 guard_insert_ban(__u64 from_high, __u64 from_low, __u64 now, __u32 is_ipv6)
{
	const __u32 first = 0;
	const struct guard_settings *settings = bpf_map_lookup_elem(&guard_settings, &first);
	const __u64 from[2] = {from_high, from_low};
	struct guard_ban ban = {
		.since_ns = now,
		.origin = GUARD_AUTOMATIC,
		.reason = GUARD_REASON_SIMPLE_SYN,
	};
	__u64 key[2];

	if (!settings)
		return 0;
	ban.expires_ns = now + settings->simple_ban_ns;
	guard_ban_key(settings, is_ipv6, from, key);
	return bpf_map_update_elem(&guard_bans, key, &ban, BPF_ANY) < 0 ? 0 : ban.expires_ns;
}

static __always_inline void guard_ban_source(const struct guard_packet *g)
{
	__u64 until = guard_insert_ban(g->from[0], g->from[1], g->now, g->p->ip_version == 6);

	if (!until) {
		guard_count_trouble(GUARD_BANS_FULL);
		return;
	}
	g->source->until_ns = until;
	g->source->verdict = GUARD_REASON_BANNED;
}

/* More SYNs a second than the profile has patience for; the source is banned. */
static __always_inline bool guard_is_simple_flood(const struct guard_packet *g)
{
	const struct guard_settings *settings = g->settings;

	if (!(g->flags & GUARD_SIMPLE) || !g->source || !guard_is_syn(g->p))
		return false;
	if (guard_pay(g->p, &g->source->syns_tat, guard_time(g->now), settings->simple_syn_cost,
		      settings->simple_syn_tau))
		return false;
	guard_ban_source(g);
	return true;
}
