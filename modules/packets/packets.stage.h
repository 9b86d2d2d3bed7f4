/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Counts packets, bytes and sizes. One lookup a packet: counters and histogram share a map entry,
 * and it is this CPU's alone, so that nothing is locked.
 */
#pragma once

#include "histogram.bpf.h"
#include "maps.bpf.h"
#include "stage.bpf.h"

#include "packets.h"

const volatile bool packets_sizes = true;
const volatile bool packets_unknown_ethertypes = false;

/* Not preallocated: what is used is small, what one attacker or 1,000 interfaces could need is
 * not. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct packets_key);
	__type(value, struct packets_traffic);
} packets_traffic SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} packets_no_room SEC(".maps");

static const struct packets_traffic packets_zero;

static __always_inline __u16 packets_protocol(const struct packet *p)
{
	if (p->ip_version)
		return p->protocol;
	if (packets_unknown_ethertypes && p->ethertype >= ETH_P_802_3_MIN)
		return p->ethertype;
	return packet_protocol_of_ethertype(p->ethertype);
}

static __always_inline void packets_count_size(struct packets_traffic *traffic, __u32 size,
					       __u32 count)
{
	__u32 bucket = histogram_exp2_bucket(size, PACKETS_SIZE_LOG2_MIN, PACKETS_SIZE_LOG2_MAX) -
		       PACKETS_SIZE_LOG2_MIN;

	if (bucket < PACKETS_SIZE_BUCKETS) /* it is, but the verifier does not know */
		traffic->sizes[bucket] += count;
}

static __always_inline void packets_count_no_room(__u64 count)
{
	__u32 zero = 0;
	__u64 *packets = bpf_map_lookup_elem(&packets_no_room, &zero);

	if (packets)
		*packets += count;
}

static __always_inline int packets_stage(struct packet *p)
{
	struct packets_key key = {
		.interface = p->interface,
		.direction = p->direction,
		.ip_version = p->ip_version,
		.protocol = packets_protocol(p),
	};
	struct packets_traffic *traffic = map_find_or_add(&packets_traffic, &key, &packets_zero);
	struct packet_segments segments;

	packet_segments(p, &segments);
	if (!traffic) {
		packets_count_no_room(segments.count);
		return STAGE_NEXT;
	}
	traffic->packets += segments.count;
	traffic->bytes += segments.bytes;
	if (packets_sizes) {
		packets_count_size(traffic, segments.last_size, 1);
		if (segments.count > 1)
			packets_count_size(traffic, segments.size, segments.count - 1);
	}
	return STAGE_NEXT;
}
