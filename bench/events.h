/* SPDX-License-Identifier: MIT */
/*
 * The other way to count packets, for comparison only: an event for each goes to user space through
 * a ring buffer, and is added up there by interface, direction, IP version and protocol.
 */
#pragma once

#include <linux/types.h>

/* bench/events.bpf.c: one for each packet. */
struct packet_event {
	__u32 interface;
	__u32 bytes;
	__u16 protocol;
	__u8 direction;
	__u8 ip_version;
};

#ifndef __bpf__

#include <stdint.h>

enum events_wakeup {
	EVENTS_DEFAULT, /* libbpf's: when the reader has caught up */
	EVENTS_EACH,    /* with every event */
	EVENTS_POLLED,  /* never: the reader looks every 10 ms */
};

struct events; /* opaque */

/* Attached to both directions of @ifindex, and read by a thread. The process ends with a message
 * when anything fails. */
struct events *events_start(const char *build_dir, uint32_t ifindex, enum events_wakeup wakeup);

/* *ret_seen: events that were added up; *ret_lost: packets that found the ring buffer full. */
void events_stop(struct events *e, uint64_t *ret_seen, uint64_t *ret_lost);

#else
_Static_assert(sizeof(struct packet_event) == 12, "no padding");
#endif
