/* SPDX-License-Identifier: MIT */
/* Traffic between two network namespaces over a veth pair: the caller's, and one of a process. */
#pragma once

#include <stdint.h>

enum traffic_kind {
	TRAFFIC_BULK,     /* one TCP connection, as fast as it goes; super-packets */
	TRAFFIC_SEGMENTS, /* the same in packets of 1,500 bytes */
	TRAFFIC_SMALL,    /* UDP datagrams of 18 bytes, as fast as they can be sent */
	TRAFFIC_UNREAD,   /* the same, and nobody reads them: all but the first are dropped */
	TRAFFIC_ECHO,     /* a byte forth and back over TCP */
	TRAFFIC_KINDS,
};

struct traffic_result {
	double units; /* bytes, packets that arrived, round trips */
	double seconds;
	double packets;  /* at the interface, both directions; a super-packet is one */
	uint64_t cpu_ns; /* of both ends, with what the kernel did in their name */
	uint64_t sent;   /* packets that left the other end */
};

/* The caller has a network namespace of its own. The process ends with a message when anything
 * fails. */
void traffic_open(void);
void traffic_close(void);

/* Of the caller's end of the pair. */
uint32_t traffic_ifindex(void);

/* Once for all runs of a kind that follow. */
void traffic_prepare(enum traffic_kind kind);

/* The caller's threads count, too: whoever looks on belongs to it. */
struct traffic_result traffic_run(enum traffic_kind kind, unsigned ms);
