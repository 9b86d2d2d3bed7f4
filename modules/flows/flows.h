/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The contract between the flows stage and those who read its maps.
 *
 * flows_table: array of sets of FLOWS_WAYS flows each. Which set a flow can be in follows from its
 * key; where in it does not matter. A place with an all-zero key is empty.
 *
 *	set	 0      4   8                72                136
 *		| lock | - | 16 tags of u32 | 16 times of u32 | flow 0 | flow 1 … | flow 15 |
 *
 *	flow	 0     48        56      64     72      73  74     76    80      88       96
 *		| key | packets | bytes | last | flags | - | port | pid | first | cgroup | command |
 *
 * flows_other: per-CPU hash of what gave way, by interface and direction
 *
 *	key	 0           4           5  8
 *		| interface | direction | - |
 *
 *	value	 0         8       16          24
 *		| packets | bytes | new flows | flows that gave way |
 *
 * flows_no_room: per-CPU array, one such value for what found no room in flows_other.
 */
#pragma once

#include <linux/types.h>

enum {
	FLOWS_WAYS = 16,
	FLOWS_COMMAND_LEN = 16, /* TASK_COMM_LEN */

	/* Of the struct flows_set, for the manifest and for those who read the map. */
	FLOWS_ROWS_OFFSET = 136,

	/* A value of flows_key.protocol that no protocol has: 802.3 with a length and LLC. */
	FLOWS_PROTOCOL_LLC = 256,
};

/*
 * What makes two packets the same flow. An interface's packets are its own: what passes a bridge
 * and a veth pair is a flow at each of them, so that what is added up over one interface is what
 * went over it. Remote is what is on the other side of the interface: the source of what comes in,
 * the destination of what goes out. So the two directions of a connection differ in nothing else.
 */
struct flows_key {
	__u8 local[16];   /* IPv4 as ::ffff:a.b.c.d; zeros if not IP */
	__u8 remote[16];  /* likewise */
	__u32 interface;  /* ifindex: never 0 */
	__u16 local_port; /* TCP, UDP, SCTP, host order; else 0 */
	__u16 remote_port;
	__u16 protocol;   /* of IP, if ip_version; else the ethertype or FLOWS_PROTOCOL_LLC */
	__u16 vlan;       /* number of the outermost tag, 0: none */
	__u16 inner_vlan; /* of the second */
	__u8 direction;   /* enum packet_direction: 0 in, 1 out */
	__u8 ip_version;  /* 4, 6, or 0: not IP, or an IP header that is cut off or broken */
};

struct flows_flow {
	struct flows_key key;
	__u64 packets;                   /* a super-packet counts as its segments */
	__u64 bytes;                     /* on the wire, without FCS */
	__u64 last_ns;                   /* CLOCK_MONOTONIC, to a few milliseconds */
	__u8 tcp_flags;                  /* all that were seen, the header's byte 13 */
	__u8 tries;                      /* to find out the process; FLOWS_TRIES_MAX: no more */
	__u16 port;                      /* of the service, most likely: the lower of the two */
	__u32 pid;                       /* process of the local socket, 0: not known */
	__u64 first_ns;                  /* as last_ns */
	__u64 cgroup;                    /* id of the local socket's cgroup, 0: not known */
	char command[FLOWS_COMMAND_LEN]; /* of the process, as `ps -o comm` has it */
	__u64 flows;                     /* 1: for who adds up */
};

struct flows_other_key {
	__u32 interface;
	__u8 direction;
	__u8 padding[3];
};

struct flows_other {
	__u64 packets; /* of flows that gave way */
	__u64 bytes;   /* likewise */
	__u64 started; /* flows that came into the table */
	__u64 evicted; /* flows that gave way to another */
};

_Static_assert(sizeof(struct flows_key) == 48, "flows.yaml: the labels add up to 48 bytes");
_Static_assert(sizeof(struct flows_flow) == 120, "flows.yaml: rows of 120 bytes");
_Static_assert(sizeof(struct flows_other_key) == 8, "flows.yaml: the labels add up to 8 bytes");
_Static_assert(sizeof(struct flows_other) == 32, "flows.yaml: offsets 0, 8, 16 and 24");
