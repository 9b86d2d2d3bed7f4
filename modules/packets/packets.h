/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The contract between the packets stage and those who read its maps.
 *
 * packets_traffic: per-CPU hash, an entry for each interface × direction × IP version × protocol
 *
 *	key	 0               4     5     6           8
 *		| interface     | dir | ver | protocol  |
 *
 *	value	 0               8               16                              16 + 12 × 8
 *		| packets       | bytes         | sizes: ≤ 64, ≤ 128 … ≤ 131072 bytes |
 *
 * packets_no_room: per-CPU array, one u64: packets that found no room in packets_traffic
 */
#pragma once

#include <linux/types.h>

enum {
	/* Buckets by powers of two. Frames are at least 60 bytes; loopback's are up to 65550. */
	PACKETS_SIZE_LOG2_MIN = 6,
	PACKETS_SIZE_LOG2_MAX = 17,
	PACKETS_SIZE_BUCKETS = PACKETS_SIZE_LOG2_MAX - PACKETS_SIZE_LOG2_MIN + 1,
};

struct packets_key {
	__u32 interface; /* ifindex */
	__u8 direction;  /* enum packet_direction: 0 in, 1 out */
	__u8 ip_version; /* 4, 6, or 0: not IP, or an IP header that is cut off or broken */
	__u16 protocol;  /* host order: of IP, else the ethertype or enum packet_protocol */
};

struct packets_traffic {
	__u64 packets; /* a super-packet counts as its segments */
	__u64 bytes;   /* on the wire, without FCS */
	__u64 sizes[PACKETS_SIZE_BUCKETS];
};

_Static_assert(sizeof(struct packets_key) == 8, "packets.yaml: the labels add up to 8 bytes");
_Static_assert(sizeof(struct packets_traffic) == 112, "packets.yaml: offsets 0, 8 and 16");
