/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The maps of guard.h. */
#pragma once

#include <linux/bpf.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "events.bpf.h"

#include "guard.h"

/* Mapped by user space, so that it can be written field by field. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct guard_settings);
} guard_settings SEC(".maps");

/* ---- lists ---- */

/*
 * What is put in by user space may have another max_entries. By sizes instead of types, that is
 * without BTF, as user space makes its own: Linux 5.15 to 6.1 takes a map with BTF and one without
 * for different ones (bpf_map_meta_equal(): timer_off).
 */
struct guard_trie {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(struct guard_prefix));
	__uint(value_size, sizeof(struct guard_entry));
} guard_no_prefixes SEC(".maps");

/* Index: slot * 2 + GUARD_ALLOW_LIST or GUARD_BLOCK_LIST. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, GUARD_SLOTS *GUARD_LISTS);
	__type(key, __u32);
	__array(values, struct guard_trie);
} guard_prefixes SEC(".maps") = {
	.values = {&guard_no_prefixes, &guard_no_prefixes, &guard_no_prefixes, &guard_no_prefixes},
};

struct guard_addresses {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(struct guard_address));
	__uint(value_size, sizeof(struct guard_entry));
} guard_no_addresses SEC(".maps");

/* Index: slot. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, GUARD_SLOTS);
	__type(key, __u32);
	__array(values, struct guard_addresses);
} guard_exact SEC(".maps") = {
	.values = {&guard_no_addresses, &guard_no_addresses},
};

/* Preallocated, and no LRU: a flood must not push bans out. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GUARD_BANS_MAX);
	__type(key, struct guard_address);
	__type(value, struct guard_ban);
} guard_bans SEC(".maps");

/* ---- limits ---- */

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, GUARD_LIMITS_MAX);
	__type(key, struct guard_prefix);
	__type(value, __u32);
} guard_limits SEC(".maps");

/* 0: of every source that no limit is about. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GUARD_RATES_MAX);
	__type(key, __u32);
	__type(value, struct guard_rate);
} guard_rates SEC(".maps");

/* Mappable, as the values of such an array begin with a page: none is in two cache lines. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, GUARD_SOURCES_MAX);
	__type(key, __u32);
	__type(value, struct guard_source);
} guard_sources SEC(".maps");

/* With GUARD_SIMPLE: one more time, for the SYNs of the source at the same place; 1/64 ns. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, GUARD_SOURCES_MAX);
	__type(key, __u32);
	__type(value, __u64);
} guard_source_syns SEC(".maps");

struct guard_lock {
	struct bpf_spin_lock lock;
};

/* Who changes the key, the generation or what is said at one of the places that share it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GUARD_SOURCE_LOCKS);
	__type(key, __u32);
	__type(value, struct guard_lock);
} guard_source_locks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * GUARD_PORTS);
	__type(key, __u32);
	__type(value, __u16);
} guard_port_rates SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GUARD_PORT_LIMITS_MAX);
	__type(key, __u32);
	__type(value, struct guard_port_limit);
} guard_port_limits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, GUARD_PORT_LIMITS_MAX);
	__type(key, __u32);
	__type(value, struct guard_port_credit);
} guard_port_credit SEC(".maps");

/* ---- detection and defence ---- */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, GUARD_DESTINATIONS);
	__type(key, __u32);
	__type(value, struct guard_destination);
} guard_destinations SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GUARD_DESTINATIONS);
	__type(key, __u32);
	__type(value, struct guard_defence);
} guard_defence SEC(".maps");

/* When a SYN to that slot was last answered by a cookie, to about a second: an ACK that answers
 * one may come. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GUARD_DESTINATIONS);
	__type(key, __u32);
	__type(value, __u64);
} guard_cookie_times SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct guard_sketch);
} guard_sketch SEC(".maps");

/* ---- what is seen of it ---- */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, GUARD_COUNTERS);
	__type(key, __u32);
	__type(value, struct guard_count);
} guard_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, GUARD_TROUBLES);
	__type(key, __u32);
	__type(value, __u64);
} guard_troubles SEC(".maps");

RECORDS(guard_samples, 256 * 1024);

/* The answer's TCP header: all of it, or only as far as the MSS. */
struct guard_answer {
	struct tcphdr tcp;
	__u8 mss_kind, mss_len;
	__be16 mss;
	__u8 sack_kind, sack_len; /* or padding */
	__u8 timestamp_kind, timestamp_len;
	__be32 timestamp, echo;
	__u8 padding, scale_kind, scale_len, scale; /* or padding */
};

/*
 * Headers of a SYN or ACK, what was found in them, and the answer. In a map for the sake of the
 * verifier: on the stack Linux 5.10 would not have the options read, as they are at no fixed place;
 * and of what is in a map it thinks to know nothing, so that each turn of a loop is like the last.
 */
struct guard_headers {
	union {
		struct iphdr ipv4;
		struct ipv6hdr ipv6;
	};
	union {
		struct tcphdr tcp;
		__u32 tcp_words[16];
		__u8 tcp_bytes[64];
	};
	__u32 tcp_len;
	__u32 at;         /* the option that is looked at */
	__be32 timestamp; /* the client's */
	__u8 has_timestamp;
	__u8 has_sack;
	__u8 scale; /* of the window, the client's; 15: none */
	__u8 padding;
	struct guard_answer answer;
	struct bpf_sock_tuple tuple;
};

/* What a CPU keeps for itself. */
struct guard_cpu {
	__u64 insert_tat;     /* see settings.insert_cost; 1/64 ns */
	__u64 next_sample_ns; /* see settings.sample_ns */
	__u64 until_ns;       /* of the ban that guard_judge() has found */
	struct guard_headers headers;
	struct guard_sample sample; /* what is on its way into guard_samples */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct guard_cpu);
} guard_cpus SEC(".maps");

/* The time, in tests: guard_test_clock. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} guard_clock SEC(".maps");
