/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Counting in maps: look the entry up and add in place; write a key only when it is new.
 * bpf_map_update_elem() on a key that exists would take the bucket's lock, allocate and copy for
 * each event, and lose what another CPU adds meanwhile.
 *
 *	map_add(&timers, &key, 1);		any map of 8-byte values
 *	map_add_percpu(&per_cpu, &key, 1);	a per-CPU one, cheaper
 *	value = map_find_or_add(&map, &key, &zero);	a map of structs; add to its fields yourself
 *
 * All give up quietly when the map is full; what they return tells, for those who count that too.
 */
#pragma once

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

/*
 * The value at @key, made from @zero if it is not there yet; NULL when the map has no room. In a
 * per-CPU map it is this CPU's value (the other CPUs' start as zeros). When two CPUs add the same
 * key at once, one of them loses BPF_NOEXIST and finds the winner's entry.
 */
static __always_inline void *map_find_or_add(void *map, const void *key, const void *zero)
{
	void *value = bpf_map_lookup_elem(map, key);

	if (value)
		return value;
	bpf_map_update_elem(map, key, zero, BPF_NOEXIST);
	return bpf_map_lookup_elem(map, key);
}

/* Add @amount to the 8-byte value at @key, right on all CPUs and in interrupts. False: no room. */
static __always_inline bool map_add(void *map, const void *key, __u64 amount)
{
	const __u64 zero = 0;
	__u64 *value = map_find_or_add(map, key, &zero);

	if (!value)
		return false;
	__sync_fetch_and_add(value, amount);
	return true;
}

/*
 * The same without the atomic instruction. For per-CPU maps, and only where the program cannot be
 * interrupted by itself on one CPU: TC and XDP programs can not, a tracepoint that fires in tasks
 * and in interrupts can: use map_add() there.
 */
static __always_inline bool map_add_percpu(void *map, const void *key, __u64 amount)
{
	const __u64 zero = 0;
	__u64 *value = map_find_or_add(map, key, &zero);

	if (!value)
		return false;
	*value += amount;
	return true;
}
