/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The contract between the programs and those who read their maps.
 *
 * drops_packets: per-CPU hash, an entry for each kind of drop. What is not asked for is 0.
 *
 *	key	 0         4           6     7     8            16      20               36  40
 *		| reason  | protocol  | ver | 0   | location   | netns | interface (16) | 0 |
 *
 *	value	 0         8
 *		| packets |
 *
 * drops_no_room: per-CPU array, one u64: drops that found no room in drops_packets
 *
 * What follows is filled by drops.c.
 *
 * drops_devices: hash, an entry for each interface and cause that is not 0
 *
 *	key	 0           4     5       6   8
 *		| interface | dir | cause | 0 |
 *
 *	value	 0         8
 *		| packets |
 *
 * drops_softnet: hash, an entry for each CPU that is online
 *
 *	key	 0     4
 *		| CPU |
 *
 *	value	 0         8          16
 *		| dropped | squeezed |
 */
#pragma once

#include <linux/types.h>

struct drops_key {
	__u32 reason;    /* enum skb_drop_reason of the running kernel; 0: it gives none */
	__u16 protocol;  /* host order: of IP, else the ethertype or enum packet_protocol */
	__u8 ip_version; /* 4, 6, or 0: not IP, or its header cannot be found */
	__u8 zero;
	__u64 location;     /* address in the function that dropped it */
	__u32 netns;        /* inode number of the network namespace */
	char interface[16]; /* name of the device that the packet was last at */
	__u32 zero_too;
};

enum drops_direction { DROPS_INGRESS, DROPS_EGRESS };

/* The counters of <linux/if_link.h>, struct rtnl_link_stats64, that none other includes. */
enum drops_cause {
	DROPS_DROPPED,    /* rx_dropped, tx_dropped */
	DROPS_MISSED,     /* rx_missed_errors: the receive ring was full */
	DROPS_ERROR,      /* rx_errors, tx_errors: of all kinds */
	DROPS_NO_HANDLER, /* rx_nohandler: a port that is not the active one */
};

struct drops_device_key {
	__u32 interface; /* ifindex */
	__u8 direction;  /* enum drops_direction */
	__u8 cause;      /* enum drops_cause */
	__u16 zero;
};

struct drops_softnet {
	__u64 dropped;
	__u64 squeezed;
};

_Static_assert(sizeof(struct drops_device_key) == 8, "drops.yaml: the labels add up to 8 bytes");
_Static_assert(sizeof(struct drops_softnet) == 16, "drops.yaml: offsets 0 and 8");
_Static_assert(sizeof(struct drops_key) == 40, "drops.yaml: the labels add up to 40 bytes");
