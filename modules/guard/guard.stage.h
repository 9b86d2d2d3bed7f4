/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Guard: drops what should not come in, and lets by what must. In this order: what is protected,
 * allowed, banned, blocklisted; SYNs; limits; a share of what is too much. The first that has
 * something to say decides, and each packet is counted once, by reason and verdict.
 *
 * In mode monitor all of it goes the same way, up to what is done in the end: nothing.
 */
#pragma once

#include "guard_books.bpf.h"
#include "guard_sources.bpf.h"
#include "guard_syn.bpf.h"

/* What is decided: a reason, and what is to be done. */
enum {
	GUARD_DECISION_REASON = 0xff,
	GUARD_DECISION_DROP = 1 << 8,
	GUARD_DECISION_ANSWER = 1 << 9,
	GUARD_DECISION_ACTS = GUARD_DECISION_DROP | GUARD_DECISION_ANSWER,
	GUARD_DECISION_SEEN = 1 << 10, /* guard_destinations has to see it */
};

/* Of user space nothing was heard for too long, and that matters. */
static __always_inline bool guard_is_silent(const struct guard_packet *g)
{
	const struct guard_settings *settings = g->settings;

	return settings->heartbeat_ns && settings->on_silence != GUARD_SILENCE_KEEP &&
	       g->now > settings->heartbeat_ns &&
	       g->now - settings->heartbeat_ns > settings->silence_ns;
}

static __always_inline __u32 guard_decision_of_lists(const struct guard_packet *g)
{
	if (g->verdict == GUARD_REASON_BANNED || g->verdict == GUARD_REASON_BLOCKLISTED)
		return g->verdict | GUARD_DECISION_DROP;
	return g->verdict;
}

static __always_inline __u32 guard_decide_ack(const struct guard_packet *g,
					      const struct guard_defence *defence)
{
	switch (guard_try_check(g)) {
	case GUARD_COOKIE_VALID:
		guard_prove_source(g);
		return GUARD_REASON_SYN_COOKIE_VALID;
	case GUARD_COOKIE_INVALID:
		if (guard_are_cookies_ordered(defence))
			return GUARD_REASON_SYN_COOKIE_INVALID | GUARD_DECISION_DROP;
		return GUARD_REASON_SYN_COOKIE_INVALID;
	default:
		return GUARD_REASON_NONE;
	}
}

/* NONE: it opens no connection, or does so as it should. */
static __always_inline __u32 guard_decide_handshake(const struct guard_packet *g,
						    const struct guard_defence *defence)
{
	if (g->p->protocol != IPPROTO_TCP)
		return GUARD_REASON_NONE;
	if (guard_is_simple_flood(g))
		return GUARD_REASON_SIMPLE_SYN | GUARD_DECISION_DROP;
	if (!g->settings->syn_cookies || !guard_is_plain(g->p))
		return GUARD_REASON_NONE;
	if (guard_is_syn(g->p) && guard_try_answer(g, defence))
		return GUARD_REASON_SYN_COOKIE_SENT | GUARD_DECISION_ANSWER;
	if (guard_is_ack(g->p))
		return guard_decide_ack(g, defence);
	return GUARD_REASON_NONE;
}

static __always_inline __u32 guard_decide_amount(const struct guard_packet *g,
						 const struct guard_defence *defence)
{
	__u32 reason;

	if (!guard_is_within_source_limit(g))
		return GUARD_REASON_SOURCE_LIMIT | GUARD_DECISION_DROP;
	if (!guard_is_within_port_limit(g))
		return GUARD_REASON_PORT_LIMIT | GUARD_DECISION_DROP;
	reason = guard_defend(g, defence);
	return reason ? reason | GUARD_DECISION_DROP : reason;
}

static __always_inline __u32 guard_decide_packet(const struct guard_packet *g)
{
	const struct guard_defence *defence = guard_find_defence(g);
	__u32 decision = guard_decide_handshake(g, defence), amount;

	if (decision & GUARD_DECISION_ACTS)
		return decision;
	amount = guard_decide_amount(g, defence);
	if (amount || decision)
		return amount ? amount : decision;
	return g->p->status == PACKET_WHOLE ? GUARD_REASON_NONE : GUARD_REASON_MALFORMED;
}

/* What is malformed in the eyes of the parser: a header is cut off, or says what cannot be. */
static __always_inline bool guard_is_refused(const struct guard_packet *g)
{
	return g->flags & GUARD_STRICT && g->p->status != PACKET_WHOLE;
}

/* What the lists have said nothing about. */
static __always_inline __u32 guard_decide_unlisted(struct guard_packet *g)
{
	guard_find_slot(g);
	if (guard_is_refused(g))
		return GUARD_REASON_MALFORMED | GUARD_DECISION_DROP | GUARD_DECISION_SEEN;
	return guard_decide_packet(g) | GUARD_DECISION_SEEN;
}

/* ARP, LLDP, LACP …, and what is called IP and is none. */
static __always_inline __u32 guard_decide_other(const struct guard_packet *g)
{
	if (g->p->ethertype == ETH_P_ARP)
		return GUARD_REASON_PROTECTED;
	if (g->p->status == PACKET_WHOLE)
		return GUARD_REASON_NONE;
	return guard_is_refused(g) ? GUARD_REASON_MALFORMED | GUARD_DECISION_DROP
				   : GUARD_REASON_MALFORMED;
}

static __always_inline __u32 guard_decide(struct guard_packet *g)
{
	g->is_silent = guard_is_silent(g);
	if (g->is_silent && g->settings->on_silence == GUARD_SILENCE_PASS)
		return GUARD_REASON_SILENT;
	if (!g->is_ip)
		return guard_decide_other(g);
	if (guard_is_protected(g))
		return GUARD_REASON_PROTECTED;
	guard_find_source(g);
	return g->verdict ? guard_decision_of_lists(g) : guard_decide_unlisted(g);
}

/* ---- what becomes of it ---- */

static __always_inline __u32 guard_verdict(const struct guard_packet *g, __u32 decision)
{
	if (!(decision & GUARD_DECISION_ACTS))
		return GUARD_PASSED;
	if (g->settings->mode != GUARD_ENFORCE)
		return GUARD_WOULD_DROP;
	return decision & GUARD_DECISION_DROP ? GUARD_DROPPED : GUARD_ANSWERED;
}

static __always_inline void guard_account(const struct guard_packet *g, __u32 decision,
					  __u32 verdict)
{
	__u32 reason = decision & GUARD_DECISION_REASON;

	if (decision & GUARD_DECISION_SEEN && g->flags & GUARD_DETECTION)
		guard_see_destination(g, verdict);
	guard_count(g->p, reason, verdict);
	if (verdict != GUARD_PASSED)
		guard_sample(g, reason, verdict);
}

static __always_inline int guard_stage(struct packet *p)
{
	const __u32 first = 0;
	struct guard_packet g = {
		.p = p,
		.settings = bpf_map_lookup_elem(&guard_settings, &first),
	};
	__u32 decision, verdict;

	if (!g.settings)
		return STAGE_NEXT;
	g.flags = g.settings->flags;
	guard_forget_packet(p, g.settings->generation);
	g.is_ip = guard_read_addresses(&g);
	if (g.is_ip)
		guard_look_ahead(&g);
	g.now = guard_now();
	decision = guard_forget(guard_decide(&g), g.now);
	g.is_new = guard_forget(g.is_new, g.now);
	verdict = guard_verdict(&g, decision);
	guard_account(&g, decision, verdict);
	if (verdict == GUARD_DROPPED)
		return XDP_DROP;
	return verdict == GUARD_ANSWERED ? XDP_TX : STAGE_NEXT;
}
