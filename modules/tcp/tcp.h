/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The contract between the tcp module's programs and those who read its maps.
 *
 * All maps of metrics have the same key; what `kind` and `detail` are, their names say below:
 *
 *	 0               8               12    13     14       16
 *	| cgroup        | netns         | ver | kind | detail |
 *
 * cgroup, netns and ver are 0 unless an option asks for them as labels.
 */
#pragma once

#include <linux/in6.h>
#include <linux/types.h>

enum tcp_role {
	TCP_ROLE_UNKNOWN, /* its beginning was not seen */
	TCP_ROLE_CLIENT,  /* connected */
	TCP_ROLE_SERVER,  /* accepted */
};

enum tcp_direction {
	TCP_RECEIVED,
	TCP_SENT,
};

enum tcp_retransmission {
	TCP_RETRANSMIT_RTO,
	TCP_RETRANSMIT_FAST,
	TCP_RETRANSMIT_TLP,
	TCP_RETRANSMIT_SYN,
	TCP_RETRANSMIT_SYNACK,
};

/* Details of resets: numbers of the kernel's enum sk_rst_reason, and above them the errors that
 * tcp_reset() gives to the process. */
enum tcp_reset {
	TCP_RESET_NOT_SPECIFIED,
	TCP_RESET_REFUSED = 0x8000,
	TCP_RESET_BROKEN_PIPE,
	TCP_RESET_RESET,
};

enum {
	/* Native histograms of 8 buckets an octave, in units of 2^-30 s: 2^-20 s (1 µs) … 2^6 s. */
	TCP_LATENCY_SCHEMA = 3,
	TCP_LATENCY_MIN = (10 << TCP_LATENCY_SCHEMA) + 1,
	TCP_LATENCY_MAX = (36 << TCP_LATENCY_SCHEMA) + 1,
	TCP_LATENCY_BUCKETS = TCP_LATENCY_MAX - TCP_LATENCY_MIN + 1,

	/* 4 buckets an octave: 2^-10 s (1 ms) … 2^20 s (12 days). */
	TCP_DURATION_SCHEMA = 2,
	TCP_DURATION_MIN = (20 << TCP_DURATION_SCHEMA) + 1,
	TCP_DURATION_MAX = (50 << TCP_DURATION_SCHEMA) + 1,
	TCP_DURATION_BUCKETS = TCP_DURATION_MAX - TCP_DURATION_MIN + 1,

	/* Segments by powers of two: 1 … 65536. */
	TCP_WINDOW_MAX = 16,
	TCP_WINDOW_BUCKETS = TCP_WINDOW_MAX + 1,
};

struct tcp_key {
	__u64 cgroup; /* id */
	__u32 netns;  /* inode number */
	__u8 ip_version;
	__u8 kind;    /* role, direction, type of retransmission, or state: what the map is about */
	__u16 detail; /* error number, reason of a reset, or port: likewise */
};

/*
 * tcp_open: hash, by the address of the socket; what is known of a connection, and how much of it
 * has been counted. Its condition is that of the last look at it. As it is in the end it is a
 * record of the ring buffer tcp_closed.
 */
struct tcp_connection {
	struct in6_addr local; /* IPv4: ::ffff:a.b.c.d */
	struct in6_addr peer;
	__u16 local_port;
	__u16 peer_port;
	__u8 role;
	__u8 state;
	__u16 error; /* of the process, at the end */
	__u32 netns;
	__u32 pid; /* 0: not known */
	__u64 cgroup;
	char comm[16];
	__u64 began_ns;  /* the SYN was sent; 0: before we were there */
	__u64 opened_ns; /* established, or seen first */
	__u64 received;  /* of each: how much of it has been counted */
	__u64 acked;
	__u32 out_of_order;
	__u32 retransmitted;
	__u64 received_before; /* carried before it was seen first */
	__u64 acked_before;
	__u64 duration_ns; /* at the end: since opened_ns, or began_ns when it was never open */
	__u32 rtt_us;
	__u32 min_rtt_us;
	__u32 cwnd;
	__u32 peer_window;   /* bytes that the peer has room for */
	__u32 send_queue;    /* bytes not acknowledged yet */
	__u32 receive_queue; /* bytes not read yet */
	__u32 all_retransmitted;
	__u32 unused2;
};

/* tcp_by_role: hash; kind: enum tcp_role */
struct tcp_role_totals {
	__u64 opened; /* connections that were established */
	__u64 broken; /* that ended at once, by a reset or a timeout */
	__u64 connect_sum;
	__u64 connect[TCP_LATENCY_BUCKETS];
	__u64 duration_sum;
	__u64 duration[TCP_DURATION_BUCKETS];
	__u64 min_rtt_sum;
	__u64 min_rtt[TCP_LATENCY_BUCKETS];
};

/* tcp_rtt: per-CPU hash */
struct tcp_rtt_totals {
	__u64 sum;
	__u64 rtt[TCP_LATENCY_BUCKETS];
};

/* tcp_windows: hash */
struct tcp_window_totals {
	__u64 cwnd_sum;
	__u64 cwnd[TCP_WINDOW_BUCKETS];
	__u64 ssthresh_sum;
	__u64 ssthresh[TCP_WINDOW_BUCKETS];
};

/* tcp_listening: hash; detail: port */
struct tcp_listen_totals {
	__u64 overflows; /* the queue of accept() was full */
	__u64 drops;     /* SYNs and last ACKs of handshakes dropped, for any reason */
};

/* tcp_stack: array of one: what the kernel counts for a namespace as a whole */
struct tcp_stack {
	__u64 zero_windows; /* TcpExtTCPToZeroWindowAdv */
	__u64 listen_overflows;
	__u32 netns; /* which one: the daemon's */
	__u32 unused;
};

/* tcp_told: array of one: which of these overflows are in tcp_listening already */
struct tcp_told {
	__u64 listen_overflows;
	__u64 left;     /* the others, when all listening sockets had been looked at */
	__u64 by_share; /* whether they come from tcp_stack */
};

_Static_assert(sizeof(struct tcp_connection) == 168, "tcp.yaml: offsets");
_Static_assert(sizeof(struct tcp_key) == 16, "tcp.yaml: the labels add up to 16 bytes");
_Static_assert(sizeof(struct tcp_role_totals) == 8UL * (5 + 209 + 121 + 209), "tcp.yaml: offsets");
_Static_assert(sizeof(struct tcp_rtt_totals) == 8UL * (1 + 209), "tcp.yaml: offsets");
_Static_assert(sizeof(struct tcp_window_totals) == 8UL * (2 + 17 + 17), "tcp.yaml: offsets");
_Static_assert(sizeof(struct tcp_listen_totals) == 16, "tcp.yaml: offsets");
_Static_assert(sizeof(struct tcp_stack) == 24, "tcp.yaml: offsets");
