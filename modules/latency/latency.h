/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The contract between the latency programs, their part in user space, and those who read their
 * maps. All histograms are native ones of schema LATENCY_SCHEMA in units of 2^-30 s, in per-CPU
 * hashes of 8-byte values; the key LATENCY_BUCKET_MAX + 1 has the sum.
 *
 * stack_latency_seconds: from the receive or transmit timestamp until a stage
 *
 *	key	 0     1       2          3         4           8        16        32      36     40
 *		| dir | stage | protocol | version | interface | cgroup | network | netns | bucket |
 *
 *	What is behind the version is 0 unless its label is asked for.
 *
 * netfilter_latency_seconds: time in the chains of a hook
 *
 *	key	 0      1         2    4       8        12
 *		| hook | version | -- | netns | bucket |
 *
 * softirq_wait_seconds, softirq_run_seconds
 *
 *	key	 0        1     4        8
 *		| vector | --- | bucket |
 *
 * qdisc_latency_seconds: from a queueing discipline taking a packet until it gives it back
 *
 *	key	 0      16          20      24       28
 *		| kind | interface | netns | bucket |
 *
 * latency_clock: array of one struct latency_clock, written by user space
 * latency_lost: per-CPU array, one u64: observations that found no room in a histogram
 */
#pragma once

#include <linux/types.h>

enum {
	LATENCY_SCHEMA = 3, /* 8 buckets from one power of two to the next */
	/* 2^6 units: 60 ns. What is less counts as zero. */
	LATENCY_BUCKET_MIN = 6 * (1 << LATENCY_SCHEMA) + 1,
	/* 2^42 units: 4096 s. Nothing above an hour is counted. */
	LATENCY_BUCKET_MAX = 42 * (1 << LATENCY_SCHEMA) + 1,
};

enum latency_direction { LATENCY_INGRESS, LATENCY_EGRESS };

enum latency_stage {
	LATENCY_DRIVER,       /* taken from the driver or from a CPU's backlog */
	LATENCY_IP,           /* at the entry of the IP layer */
	LATENCY_TRANSPORT,    /* at TCP or UDP */
	LATENCY_SOCKET_QUEUE, /* in the socket's receive queue */
	LATENCY_SOCKET_READ,  /* read by the program */
	LATENCY_DEVICE,       /* egress: handed to the device */
};

/* Addresses and networks are IPv6; IPv4 as ::ffff:a.b.c.d. */
struct latency_address {
	__u8 bytes[16];
};

struct latency_stack_key {
	__u8 direction;
	__u8 stage;
	__u8 protocol; /* TCP, UDP, ICMP or ICMPv6; 0: another */
	__u8 ip_version;
	__u32 interface;
	__u64 cgroup;
	struct latency_address network; /* of the peer */
	__u32 netns;
	__u32 bucket;
};

struct latency_netfilter_key {
	__u8 hook; /* NF_INET_… */
	__u8 ip_version;
	__u16 unused;
	__u32 netns;
	__u32 bucket;
};

struct latency_softirq_key {
	__u8 vector; /* NET_TX_SOFTIRQ, NET_RX_SOFTIRQ */
	__u8 unused[3];
	__u32 bucket;
};

struct latency_qdisc_key {
	char kind[16]; /* "fq_codel" */
	__u32 interface;
	__u32 netns;
	__u32 bucket;
};

/* What the clocks differ by, in nanoseconds. */
struct latency_clock {
	__s64 tai;       /* CLOCK_TAI - CLOCK_REALTIME: whole seconds, mostly 0 or 37 of them */
	__s64 realtime;  /* CLOCK_REALTIME - CLOCK_MONOTONIC */
	__u32 netns;     /* of the daemon: only there its names of interfaces hold */
	__u32 valid;     /* 0 until user space has written this */
	__u32 interface; /* that the option `interface` names; 0: there is none of that name */
	__u32 unused;
};

_Static_assert(sizeof(struct latency_stack_key) == 40, "latency.yaml: the labels add up to 40");
_Static_assert(sizeof(struct latency_netfilter_key) == 12, "latency.yaml: the labels add up to 12");
_Static_assert(sizeof(struct latency_softirq_key) == 8, "latency.yaml: the labels add up to 8");
_Static_assert(sizeof(struct latency_qdisc_key) == 28, "latency.yaml: the labels add up to 28");
_Static_assert(sizeof(struct latency_clock) == 32, "latency.c writes it whole");
