/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the lists, bans and limits say of a source. Asked when a source is new, and again when any
 * of them has changed; the answer is kept with the source (guard_sources.bpf.h).
 */
#pragma once

#include "guard_counters.bpf.h"

/* What is asked. */
struct guard_question {
	const struct guard_settings *settings;
	struct guard_prefix key; /* the address, all of it */
	__u64 now;
	bool is_ipv6;
};

static __always_inline const struct guard_entry *guard_find_exact(const struct guard_question *q)
{
	__u32 slot = q->settings->lists_slot;
	void *addresses;

	if (!(q->settings->flags & GUARD_EXACT))
		return NULL;
	addresses = bpf_map_lookup_elem(&guard_exact, &slot);
	return addresses ? bpf_map_lookup_elem(addresses, q->key.address) : NULL;
}

static __always_inline const struct guard_entry *guard_find_prefix(const struct guard_question *q,
								   __u32 list)
{
	__u32 flag = list == GUARD_ALLOW_LIST ? GUARD_ALLOW_PREFIXES : GUARD_BLOCK_PREFIXES;
	__u32 index = q->settings->lists_slot * GUARD_LISTS + list;
	void *prefixes;

	if (!(q->settings->flags & flag))
		return NULL;
	prefixes = bpf_map_lookup_elem(&guard_prefixes, &index);
	return prefixes ? bpf_map_lookup_elem(prefixes, &q->key) : NULL;
}

/* When it ends is left with the CPU, as guard_judge() has one number to give back. */
static __always_inline bool guard_find_ban(const void *address, __u64 now)
{
	const struct guard_ban *ban = bpf_map_lookup_elem(&guard_bans, address);
	struct guard_cpu *cpu;

	if (!ban || (ban->expires_ns && ban->expires_ns <= now))
		return false;
	cpu = guard_this_cpu();
	if (cpu)
		cpu->until_ns = ban->expires_ns;
	return true;
}

/* The address that a ban of the source is under: see struct guard_ban. */
static __always_inline void guard_ban_key(const struct guard_settings *settings, bool is_ipv6,
					  const __u64 address[2], __u64 key[2])
{
	key[0] = address[0];
	key[1] = address[1];
	if (is_ipv6) {
		key[0] &= bpf_cpu_to_be64(settings->ipv6_mask);
		key[1] = 0;
	}
}

static __always_inline bool guard_is_banned(const struct guard_question *q)
{
	__u64 address[2], key[2];

	if (!(q->settings->flags & GUARD_BANS))
		return false;
	__builtin_memcpy(address, q->key.address, sizeof(address));
	guard_ban_key(q->settings, q->is_ipv6, address, key);
	if (guard_find_ban(key, q->now))
		return true;
	return q->is_ipv6 && q->settings->flags & GUARD_LONG_IPV6 &&
	       guard_find_ban(address, q->now);
}

static __always_inline __u32 guard_ask_lists(const struct guard_question *q)
{
	const struct guard_entry *exact = guard_find_exact(q), *entry = exact;

	if (!entry || !(entry->flags & GUARD_ENTRY_ALLOW))
		entry = guard_find_prefix(q, GUARD_ALLOW_LIST);
	if (entry)
		return entry->origin == GUARD_PROTECTED ? GUARD_REASON_PROTECTED
							: GUARD_REASON_ALLOWED;
	if (guard_is_banned(q))
		return GUARD_REASON_BANNED;
	if (exact && exact->flags & GUARD_ENTRY_BLOCK)
		return GUARD_REASON_BLOCKLISTED;
	return guard_find_prefix(q, GUARD_BLOCK_LIST) ? GUARD_REASON_BLOCKLISTED
						      : GUARD_REASON_NONE;
}

static __always_inline __u32 guard_ask_limits(const struct guard_question *q)
{
	const __u32 *rate;

	if (!(q->settings->flags & GUARD_LIMITS))
		return 0;
	rate = bpf_map_lookup_elem(&guard_limits, &q->key);
	return rate ? *rate : 0;
}

enum { GUARD_JUDGED_RATE_SHIFT = 8, GUARD_JUDGED_VERDICT = 0xff };

/*
 * The verdict, and the index of a rate << GUARD_JUDGED_RATE_SHIFT. Not inlined, as it is not for
 * every packet; and not static, so that the verifier looks at it once, for any numbers.
 */
__noinline __u32 guard_judge(__u64 from_high, __u64 from_low, __u64 now, __u32 is_ipv6)
{
	const __u32 first = 0;
	const __u64 address[2] = {from_high, from_low};
	struct guard_question q = {
		.settings = bpf_map_lookup_elem(&guard_settings, &first),
		.key.prefixlen = sizeof(q.key.address) * 8,
		.now = now,
		.is_ipv6 = is_ipv6,
	};

	if (!q.settings)
		return 0;
	__builtin_memcpy(q.key.address, address, sizeof(address));
	return guard_ask_lists(&q) | guard_ask_limits(&q) << GUARD_JUDGED_RATE_SHIFT;
}
