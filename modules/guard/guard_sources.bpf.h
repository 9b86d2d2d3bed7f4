/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Who sends. All that is to be known of a source is in half a cache line of an array, so that a
 * packet costs one access to memory: what the lists said when they were last asked, and when what
 * it has sent will be paid for. A hash map would take three, one after the other.
 *
 * A source that is new takes the place of another, out of the few that its hash names. Whoever can
 * forge sources decides how many come, and must not thereby have himself forgotten, as who is
 * forgotten has paid for everything. So the one that owes least gives way, and of those that owe
 * nothing, as most do, the one that was quiet for longest. What a source can gain by this:
 *
 *	- nothing while one of the other seven in its set owes less, or after it has paid anyhow;
 *	- else what it owes at that moment, which is what each of the seven owes at least.
 *
 * A source that was seen once owes one packet. So a flood of such sources, of any size, cannot set
 * free one that is at its limit; for that, seven others that share its set have to be at theirs:
 * and who shares a set, one of 32,768, follows from a seed that nobody outside knows.
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

/* ---- the table ---- */

/* What a proven source is worth more, in units of guard_source.seen: a minute. */
enum { GUARD_PROVEN_WORTH = 60000000000ULL >> GUARD_SEEN_BITS };

static __always_inline struct guard_source *guard_source_at(__u32 place)
{
	return bpf_map_lookup_elem(&guard_sources, &place);
}

static __always_inline __u64 *guard_syns_at(__u32 place)
{
	return bpf_map_lookup_elem(&guard_source_syns, &place);
}

static __always_inline struct guard_lock *guard_lock_of(__u32 place)
{
	__u32 index = place / GUARD_SOURCE_WAYS & (GUARD_SOURCE_LOCKS - 1);

	return bpf_map_lookup_elem(&guard_source_locks, &index);
}

static __always_inline __u16 guard_seen(__u64 now)
{
	return now >> GUARD_SEEN_BITS;
}

static __always_inline __u32 guard_verdict_of(__u32 said)
{
	return said >> GUARD_SAID_VERDICT_SHIFT & GUARD_SAID_VERDICT;
}

/* Out of what guard_judge() gives back. */
static __always_inline __u16 guard_said(__u32 judged)
{
	return (judged >> GUARD_JUDGED_RATE_SHIFT & GUARD_SAID_RATE) |
	       (judged & GUARD_SAID_VERDICT) << GUARD_SAID_VERDICT_SHIFT;
}

/* How long it takes until all that a source has sent is paid for, 1/64 ns. */
static __always_inline __u64 guard_debt(const struct guard_source *source, const __u64 *syns,
					__u64 now)
{
	__u64 tat = source->packets_tat;

	if (guard_verdict_of(source->said) != GUARD_REASON_NONE)
		return 0; /* it has no limit */
	if (source->bytes_tat > tat)
		tat = source->bytes_tat;
	if (syns && *syns > tat)
		tat = *syns;
	return tat > guard_time(now) ? tat - guard_time(now) : 0;
}

/* How much is lost with what is at a place: any debt is more than none. One that owes nothing is
 * worth the more the later it was seen, and one that is proven as if that had been later still. */
static __always_inline __u64 guard_worth(const struct guard_source *source, const __u64 *syns,
					 __u64 now)
{
	__u64 debt = guard_debt(source, syns, now);
	__u16 quiet = guard_seen(now) - source->seen;

	if (!source->generation)
		return 0;
	if (debt)
		return 1ULL << 63 | debt;
	if (source->said & GUARD_SAID_PROVEN)
		return (1U << 16) + GUARD_PROVEN_WORTH - quiet;
	return (1U << 16) - quiet;
}

/* Of the places that a source with this home can have, the one where least is lost. */
static __always_inline __u32 guard_choose_place(__u32 home, __u64 now)
{
	__u64 least = ~0ULL;
	__u32 chosen = home;

	for (__u32 way = 0; way < GUARD_SOURCE_WAYS; way++) {
		const struct guard_source *source = guard_source_at(home ^ way);
		__u64 worth = source ? guard_worth(source, guard_syns_at(home ^ way), now) : 0;

		if (worth < least) {
			least = worth;
			chosen = home ^ way;
		}
	}
	return chosen;
}

/* packets_tat of a source that has not been limited yet. */
static __always_inline __u64 guard_first_tat(__u32 verdict, __u64 until_ns)
{
	if (verdict != GUARD_REASON_BANNED)
		return 0;
	return until_ns ? guard_time(until_ns) : ~0ULL;
}

/*
 * Who reads does not lock: guard_recognize() gets the judgement first, and then whose that is. Who
 * writes does it the other way round, so that nobody gets what was said of another. Gives back
 * where the source is then: GUARD_SOURCES_MAX, nowhere, if another CPU was faster.
 */
static __always_inline __u32 guard_take_place(__u32 place, const struct guard_source *is)
{
	struct guard_source *source = guard_source_at(place);
	__u64 *syns = guard_syns_at(place), was;
	struct guard_lock *lock = guard_lock_of(place);

	if (!source || !syns || !lock)
		return GUARD_SOURCES_MAX;
	was = source->key;
	bpf_spin_lock(&lock->lock);
	if (source->key == was) {
		*(volatile __u64 *)&source->judgement = 0;
		source->packets_tat = is->packets_tat;
		source->bytes_tat = 0;
		*syns = 0;
		*(volatile __u64 *)&source->key = is->key;
		*(volatile __u64 *)&source->judgement = is->judgement;
	}
	was = source->key;
	bpf_spin_unlock(&lock->lock);
	return was == is->key ? place : GUARD_SOURCES_MAX;
}

/* @judged: of guard_judge(). By itself, as the stack is too small for all of what is seldom. */
__noinline __u32 guard_insert_source(__u64 key, __u64 now, __u32 judged)
{
	const __u32 first = 0;
	const struct guard_settings *settings = bpf_map_lookup_elem(&guard_settings, &first);
	__u32 verdict = judged & GUARD_JUDGED_VERDICT;
	struct guard_source source = {
		.key = key,
		.packets_tat = guard_first_tat(verdict, guard_until(verdict)),
		.said = guard_said(judged),
		.seen = guard_seen(now),
	};

	if (!settings || !guard_may_insert(settings, now))
		return GUARD_SOURCES_MAX;
	source.generation = settings->generation;
	return guard_take_place(guard_choose_place(guard_home(key, settings->seed), now), &source);
}

/* Where a source is that is not in the cache line of its home; GUARD_SOURCES_MAX: nowhere. */
__noinline __u32 guard_find_aside(__u64 key, __u32 home)
{
	for (__u32 way = 2; way < GUARD_SOURCE_WAYS; way++) {
		const struct guard_source *source = guard_source_at(home ^ way);

		if (source && source->key == key)
			return home ^ way;
	}
	return GUARD_SOURCES_MAX;
}

/* ---- what is known ---- */

static __always_inline void guard_add_source(struct guard_packet *g, __u32 judged)
{
	g->is_new = true;
	g->place = guard_insert_source(g->key, g->now, judged);
	g->source = guard_source_at(g->place);
	if (!g->source)
		guard_count_trouble(GUARD_SOURCES_FULL);
}

/* What was found out, if the place is still the source's. */
static __always_inline void guard_keep_answer(const struct guard_packet *g, __u32 judged,
					      __u64 until_ns)
{
	struct guard_source *source = g->source;
	struct guard_lock *lock = guard_lock_of(g->place);
	__u64 tat = guard_first_tat(judged & GUARD_JUDGED_VERDICT, until_ns);
	__u32 generation = g->settings->generation;

	if (!lock)
		return;
	bpf_spin_lock(&lock->lock);
	if (source->key == g->key) {
		if (tat || guard_verdict_of(source->said) == GUARD_REASON_BANNED)
			source->packets_tat = tat;
		source->said = guard_said(judged) | (source->said & GUARD_SAID_PROVEN);
		source->generation = generation;
	}
	bpf_spin_unlock(&lock->lock);
}

/* It answered a cookie. */
static __always_inline void guard_prove_source(const struct guard_packet *g)
{
	struct guard_source *source = g->source;
	struct guard_lock *lock = guard_lock_of(g->place);

	if (!source || !lock)
		return;
	bpf_spin_lock(&lock->lock);
	if (source->key == g->key)
		source->said |= GUARD_SAID_PROVEN;
	bpf_spin_unlock(&lock->lock);
}

static __always_inline void guard_ask(struct guard_packet *g)
{
	__u32 judged = guard_judge(g->from[0], g->from[1], g->now, g->p->ip_version == 6);

	g->verdict = judged & GUARD_JUDGED_VERDICT;
	g->rate = judged >> GUARD_JUDGED_RATE_SHIFT;
	if (g->source)
		guard_keep_answer(g, judged, guard_until(g->verdict));
	else
		guard_add_source(g, judged);
}

static __always_inline bool guard_is_answer_good(const struct guard_packet *g)
{
	if (!g->source || g->generation != g->settings->generation || !guard_is_answer_kept(g))
		return false;
	return g->verdict != GUARD_REASON_BANNED || g->source->packets_tat > guard_time(g->now);
}

static __always_inline struct guard_glance guard_glance_at(__u32 place)
{
	struct guard_glance seen = {.source = guard_source_at(place)};

	if (seen.source) {
		seen.judgement = *(volatile __u64 *)&seen.source->judgement;
		seen.key = *(volatile __u64 *)&seen.source->key;
	}
	return seen;
}

/* Whether the packet's source is what was seen at @place, and what is remembered of it. */
static __always_inline bool guard_recognize(struct guard_packet *g, __u32 place,
					    struct guard_glance seen)
{
	struct guard_source is = {.judgement = seen.judgement};

	if (!seen.source || seen.key != g->key)
		return false;
	g->source = seen.source;
	g->place = place;
	g->generation = is.generation;
	g->verdict = guard_verdict_of(is.said);
	g->rate = is.said & GUARD_SAID_RATE;
	return true;
}

/* Where the source most likely is, long before it is needed, as memory takes as long as all that is
 * done meanwhile. */
static __always_inline void guard_look_ahead(struct guard_packet *g)
{
	if (!(g->flags & GUARD_ABOUT_SOURCES))
		return;
	g->home = guard_home(g->key, g->settings->seed);
	g->ahead = guard_glance_at(g->home);
}

static __always_inline bool guard_recognize_at(struct guard_packet *g, __u32 place)
{
	return guard_recognize(g, place, guard_glance_at(place));
}

static __always_inline void guard_find_source(struct guard_packet *g)
{
	__u16 seen = guard_seen(g->now);

	if (!(g->flags & GUARD_ABOUT_SOURCES))
		return;
	if (!guard_recognize(g, g->home, g->ahead) && !guard_recognize_at(g, g->home ^ 1))
		guard_recognize_at(g, guard_find_aside(g->key, g->home));
	/* Written when it changes only: other CPUs may have the line as well. */
	if (g->source && g->source->seen != seen)
		g->source->seen = seen;
	if (!guard_is_answer_good(g))
		guard_ask(g);
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
	guard_keep_answer(g, GUARD_REASON_BANNED, until);
}

/* More SYNs a second than the profile has patience for; the source is banned. */
static __always_inline bool guard_is_simple_flood(const struct guard_packet *g)
{
	const struct guard_settings *settings = g->settings;
	__u64 *syns;

	if (!(g->flags & GUARD_SIMPLE) || !g->source || !guard_is_syn(g->p))
		return false;
	syns = guard_syns_at(g->place);
	if (!syns || guard_pay(g->p, syns, guard_time(g->now), settings->simple_syn_cost,
			       settings->simple_syn_tau))
		return false;
	guard_ban_source(g);
	return true;
}
