/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Options, the maps, and reading the kernel's structs. */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ptrace.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "histogram.bpf.h"
#include "kernel_types.bpf.h"
#include "maps.bpf.h"
#include "network.bpf.h"

#include "latency.h"

/* Packets whose timestamp has one of these bits are left out: 0 takes all, 7 one of 8. */
const volatile __u64 sample_mask = 0;

/* As the option has it: "2%". */
const volatile char sampling[16] = "always";

/* Leave out all but TCP and UDP with this port, if it is not 0. */
const volatile __u32 only_port = 0;

/* Leave out all that neither comes from there nor goes there, if it is named. */
const volatile __u32 only_network[NETWORK_WORDS] = {0};

/* Leave out what is of no interface, or another one: its number is in latency_clock. */
const volatile char only_interface[16] = "";

/* Leave out what is in another network namespace than the daemon. */
const volatile bool only_own_netns = false;

/* Opt-in labels: what is off costs nothing. */
const volatile bool by_interface = false;
const volatile bool by_netns = false;
const volatile bool by_cgroup = false;
const volatile bool by_network = false;
const volatile __u32 prefix4 = 24;
const volatile __u32 prefix6 = 64;

#define NSEC_PER_SEC 1000000000ULL
#define AN_HOUR      (3600 * NSEC_PER_SEC)

/* Slices last 200 ms (src/engine/slices.h), and attaching takes some; the gaps between them are
 * longer than that up to a share of 25 %. */
#define SLICE (NSEC_PER_SEC / 4)

/* Not in the headers for programs: <linux/socket.h>, <linux/net.h>, <linux/interrupt.h>,
 * <linux/netfilter.h>. */
enum { AF_INET = 2, AF_INET6 = 10, SOCK_STREAM = 1, NET_TX_SOFTIRQ = 2, NET_RX_SOFTIRQ = 3 };
enum { NF_ACCEPT = 1 };
enum { MSG_PEEK = 0x2, MSG_ERRQUEUE = 0x2000 };

static __always_inline bool is_always(void)
{
	return sampling[0] == 'a';
}

/* ---- maps ---- */

/* Allocated beforehand: before 6.1 the kernel warns of programs at kprobes that allocate. */
#define HISTOGRAM_MAP(name, key_type, entries)                                                     \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_PERCPU_HASH);                                            \
		__uint(max_entries, entries);                                                      \
		__type(key, key_type);                                                             \
		__type(value, __u64);                                                              \
	} name SEC(".maps")

#define BUCKETS (LATENCY_BUCKET_MAX - LATENCY_BUCKET_MIN + 2)

HISTOGRAM_MAP(stack_latency_seconds, struct latency_stack_key, 8192);
HISTOGRAM_MAP(netfilter_latency_seconds, struct latency_netfilter_key, 10 * BUCKETS);
HISTOGRAM_MAP(softirq_wait_seconds, struct latency_softirq_key, 2 * BUCKETS);
HISTOGRAM_MAP(softirq_run_seconds, struct latency_softirq_key, 2 * BUCKETS);
HISTOGRAM_MAP(qdisc_latency_seconds, struct latency_qdisc_key, 4096);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct latency_clock);
} latency_clock SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} latency_lost SEC(".maps");

static __always_inline void count_lost(void)
{
	__u32 zero = 0;
	__u64 *lost = bpf_map_lookup_elem(&latency_lost, &zero);

	if (lost)
		__sync_fetch_and_add(lost, 1);
}

/* map_add() where programs in tasks and in interrupts meet on one CPU. */
#define ADD_LATENCY(map, key, ns)                                                                  \
	do {                                                                                       \
		__u64 units_ = histogram_scale_ns(ns);                                             \
		(key).bucket = histogram_native_bucket(units_, LATENCY_SCHEMA, LATENCY_BUCKET_MIN, \
						       LATENCY_BUCKET_MAX);                        \
		if (!map_add((map), &(key), 1))                                                    \
			count_lost();                                                              \
		(key).bucket = LATENCY_BUCKET_MAX + 1;                                             \
		map_add((map), &(key), units_);                                                    \
	} while (0)

/* ---- reading the kernel's structs ---- */

/*
 * A field of what @p points to. @direct, a constant: the verifier knows the type of @p, as it does
 * of the arguments of tp_btf, fentry and netfilter programs, and the field is loaded; else a helper
 * reads it.
 */
#define READ(direct, p, field)                                                                     \
	({                                                                                         \
		typeof((p)->field) value_ = {0};                                                   \
		if (direct)                                                                        \
			value_ = (p)->field;                                                       \
		else                                                                               \
			bpf_probe_read_kernel(&value_, sizeof(value_), &(p)->field);               \
		value_;                                                                            \
	})

enum { PROBED = false, DIRECT = true };

/* Whether the packet's timestamp says when it is to leave or has left, and not when it came. */
static __always_inline bool is_transmit_time(const bool direct, struct sk_buff *skb)
{
	struct sk_buff___mono *mono = (void *)skb;

	if (bpf_core_field_exists(skb->tstamp_type))
		return direct ? BPF_CORE_READ_BITFIELD(skb, tstamp_type)
			      : BPF_CORE_READ_BITFIELD_PROBED(skb, tstamp_type);
	if (bpf_core_field_exists(mono->mono_delivery_time))
		return direct ? BPF_CORE_READ_BITFIELD(mono, mono_delivery_time)
			      : BPF_CORE_READ_BITFIELD_PROBED(mono, mono_delivery_time);
	/* Before 5.18 both are a number and no more; see below. */
	return false;
}

/* When the packet was received, by CLOCK_REALTIME; 0 where it does not say so. */
static __always_inline __u64 received_at(const bool direct, struct sk_buff *skb)
{
	__u64 tstamp = READ(direct, skb, tstamp);

	return is_transmit_time(direct, skb) ? 0 : tstamp;
}

/*
 * The clock of receive timestamps, now. There is no helper for CLOCK_REALTIME: it is made of
 * CLOCK_TAI (since 6.1), which stays right when somebody sets the clock, else of CLOCK_MONOTONIC.
 */
static __always_inline __u64 now_realtime(void)
{
	__u32 zero = 0;
	const struct latency_clock *clock = bpf_map_lookup_elem(&latency_clock, &zero);

	if (!clock || !clock->valid)
		return 0;
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_ktime_get_tai_ns))
		return bpf_ktime_get_tai_ns() - clock->tai;
	return bpf_ktime_get_ns() + clock->realtime;
}

/*
 * Whether what was noted at @since is one end of something of which the other is seen at @now
 * (CLOCK_MONOTONIC). Programs that are attached in slices of time may have missed other ends
 * since; what is older than a slice is of another one.
 */
static __always_inline bool is_recent(__u64 since, __u64 now)
{
	return is_always() || now - since < SLICE;
}
