/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Options, the maps, and what the kernel calls things. */
#pragma once

#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "events.bpf.h"
#include "histogram.bpf.h"
#include "kernel_types.bpf.h"
#include "maps.bpf.h"

#include "tcp.h"

/* include/net/tcp_states.h */
enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
	TCP_NEW_SYN_RECV,
	TCP_STATES,
};

enum {
	AF_INET6 = 10,
	ETH_P_IPV6 = 0x86dd,
	TCP_FLAGS_OFFSET = 13, /* RFC 9293, 3.1 */
	TCP_FLAG_RST = 0x04,
	TCP_CA_RECOVERY = 3,               /* include/uapi/linux/tcp.h */
	TCP_CA_LOSS = 4,                   /* likewise */
	ICSK_TIME_LOSS_PROBE = 5,          /* include/net/inet_connection_sock.h */
	TCP_INFINITE_SSTHRESH = 0x7fffffff /* include/net/tcp.h: no loss so far */
};

const volatile bool tcp_by_netns = false;
const volatile bool tcp_by_cgroup = false;
const volatile bool tcp_by_ip_version = false;
const volatile bool tcp_bytes_before_start = true;

/* Sockets that are followed, by their address. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 131072);
	__type(key, __u64);
	__type(value, struct tcp_connection);
} tcp_open SEC(".maps");

/* Connections that ended, for those who look. */
RECORDS(tcp_closed, 256 * 1024);

/* A listening socket, by its address. */
struct listener {
	__u32 drops; /* that have been counted */
	__u32 owed;  /* the last of them: may be overflows that the kernel counted a moment later */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct listener);
} tcp_listeners SEC(".maps");

/* When the first SYN-ACK of a handshake was sent, of those that were sent again: then the new
 * socket does not know. */
struct handshake {
	const struct net *net;
	struct in6_addr peer;
	struct in6_addr local;
	__be16 peer_port;
	__u16 local_port;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct handshake);
	__type(value, __u64); /* microseconds */
} tcp_synacks SEC(".maps");

#define TOTALS(name, kind, entries, type_of_value)                                                 \
	struct {                                                                                   \
		__uint(type, kind);                                                                \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                              \
		__uint(max_entries, entries);                                                      \
		__type(key, struct tcp_key);                                                       \
		__type(value, type_of_value);                                                      \
	} name SEC(".maps")

TOTALS(tcp_by_role, BPF_MAP_TYPE_HASH, 4096, struct tcp_role_totals);
TOTALS(tcp_failed_connections_total, BPF_MAP_TYPE_HASH, 4096, __u64); /* role, errno */
TOTALS(tcp_bytes_total, BPF_MAP_TYPE_HASH, 4096, __u64);              /* direction */
TOTALS(tcp_retransmitted_segments_total, BPF_MAP_TYPE_HASH, 8192, __u64);
TOTALS(tcp_resets_total, BPF_MAP_TYPE_HASH, 8192, __u64); /* direction, enum tcp_reset */
TOTALS(tcp_out_of_order_segments_total, BPF_MAP_TYPE_HASH, 4096, __u64);
TOTALS(tcp_windows, BPF_MAP_TYPE_HASH, 1024, struct tcp_window_totals);
TOTALS(tcp_rtt, BPF_MAP_TYPE_PERCPU_HASH, 1024, struct tcp_rtt_totals);
TOTALS(tcp_listening, BPF_MAP_TYPE_HASH, 16384, struct tcp_listen_totals);
TOTALS(tcp_connections, BPF_MAP_TYPE_HASH, 64, __u64); /* state */

/* Sockets by state and IP version (4, 6) while the iterator goes through them. */
struct states {
	__u64 count[TCP_STATES][2];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct states);
} tcp_counting SEC(".maps");

/* What the part in user space reads of the daemon's own namespace (tcp.c). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tcp_stack);
} tcp_stack SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tcp_told);
} tcp_told SEC(".maps");

/* Who listens at a port. */
struct port {
	const struct net *net;
	__u64 number;
};

struct owner {
	__u32 pid;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct port);
	__type(value, struct owner);
} tcp_owners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} tcp_unfollowed_connections_total SEC(".maps");

static const struct tcp_connection no_connection;
static const struct tcp_role_totals no_role_totals;
static const struct tcp_rtt_totals no_rtt_totals;
static const struct tcp_window_totals no_window_totals;
static const struct tcp_listen_totals no_listen_totals;
