/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Metrics out of events, where what a series is cannot be known in the kernel; all else is counted
 * in maps, which costs less and loses nothing.
 *
 *	EVENTS(opens_total, 256 * 1024);	the ring buffer, and a count of losses
 *
 *	struct open { __u32 uid; char name[16]; } record = {...};	as `labels:` say
 *	events_send(opens_total, &record);
 *
 * A record begins with the labels, as the key of a map would; `values:` are anywhere in it, and
 * without them it counts 1. Set all bytes of it: what is behind the end of a string makes a key of
 * its own.
 */
#pragma once

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

/* @bytes: a power of two, and whole pages. The daemon exports the second map, which it finds by its
 * name, as wiregauge_events_lost_total. */
#define EVENTS(name, bytes)                                                                        \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_RINGBUF);                                                \
		__uint(max_entries, bytes);                                                        \
	} name SEC(".maps");                                                                       \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);                                           \
		__uint(max_entries, 1);                                                            \
		__type(key, __u32);                                                                \
		__type(value, __u64);                                                              \
	} name##_lost SEC(".maps")

static __always_inline void events_add_lost(void *lost)
{
	const __u32 first = 0;
	__u64 *count = bpf_map_lookup_elem(lost, &first);

	if (count)
		__sync_fetch_and_add(count, 1);
}

static __always_inline bool events_output(void *ring, void *lost, void *record, __u64 size)
{
	if (bpf_ringbuf_output(ring, record, size, 0) == 0)
		return true;
	events_add_lost(lost);
	return false;
}

/*
 * Records that people look at, one by one, on the command line (`records:` of a config): nothing is
 * sent while nobody looks, which the daemon says in the third map.
 *
 *	RECORDS(closed, 256 * 1024);
 *
 *	if (records_wanted(closed)) {
 *		struct closed record = {...};
 *		records_send(closed, &record);
 *	}
 */
#define RECORDS(name, bytes)                                                                       \
	EVENTS(name, bytes);                                                                       \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(max_entries, 1);                                                            \
		__type(key, __u32);                                                                \
		__type(value, __u32);                                                              \
	} name##_wanted SEC(".maps")

static __always_inline bool records_are_wanted(void *wanted)
{
	const __u32 first = 0;
	const __u32 *on = bpf_map_lookup_elem(wanted, &first);

	return on && *on;
}

#define records_wanted(name)       records_are_wanted(&name##_wanted)
#define records_send(name, record) events_send(name, record)

/* Sends *@record; false when there is no room, which is counted. */
#define events_send(name, record) events_output(&name, &name##_lost, record, sizeof(*(record)))
/* Counts one that could not even be made. */
#define events_lose(name) events_add_lost(&name##_lost)
