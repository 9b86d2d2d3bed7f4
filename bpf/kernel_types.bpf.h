/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The kernel's own structs, cut down to the fields that programs here read. Where a field really is
 * on the running kernel is found at load time from its BTF (CO-RE: preserve_access_index), so
 * neither the order nor what is left out matters; the names and types must be the kernel's.
 *
 * Add the field you need to the struct it is in, or the struct in the order of the alphabet. A
 * field that not every kernel has: bpf_core_field_exists() before it is read. A type that was
 * changed: a second struct with the suffix ___name, which libbpf ignores when it looks for the
 * kernel's.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/in6.h>
#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* What iterators get: include/linux/bpf.h, net/ipv4/tcp_ipv4.c, kernel/bpf/map_iter.c */
struct bpf_iter_meta {
	__u64 seq_num;
};

struct bpf_iter__bpf_map_elem {
	void *key; /* NULL: the end */
	void *value;
};

struct bpf_iter__bpf_map {
	struct bpf_map *map; /* NULL: the end */
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common; /* NULL: the end */
};

/* include/linux/cgroup-defs.h */
struct cgroup {
	struct kernfs_node *kn;
};

/* include/linux/netfilter.h: what a program of type netfilter gets, since 6.4 */
struct bpf_nf_ctx {
	struct nf_hook_state *state;
	struct sk_buff *skb;
};

/* include/linux/kernfs.h */
struct kernfs_node {
	__u64 id;
};

/* include/net/net_namespace.h */
struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

/* include/linux/netdevice.h */
struct net_device {
	char name[16];
	int ifindex;
	possible_net_t nd_net;
};

/* include/linux/netfilter.h: NF_INET_…, NFPROTO_… */
struct nf_hook_state {
	__u8 hook;
	__u8 pf;
	struct net_device *in, *out;
	struct net *net;
};

/* include/net/sch_generic.h */
struct Qdisc_ops {
	char id[16];
};

struct netdev_queue {
	struct net_device *dev;
};

struct Qdisc {
	const struct Qdisc_ops *ops;
	struct netdev_queue *dev_queue;
};

/* include/linux/refcount.h */
typedef struct {
	struct {
		int counter;
	} refs;
} refcount_t;

/* include/linux/skbuff.h */
struct dst_entry { /* include/net/dst.h */
	struct net_device *dev;
};

struct sk_buff {
	struct sk_buff *next;
	struct net_device *dev;
	struct sock *sk;
	unsigned long _skb_refdst; /* struct dst_entry *, bit 0 is a flag */
	char cb[48];
	__s64 tstamp; /* ktime_t */
	unsigned int len;
	int skb_iif;
	__be16 protocol;
	__u16 network_header; /* from `head`, as the others; 0: not known yet */
	__u16 mac_header;     /* 65535: not known */
	__u16 transport_header;
	unsigned int tail;
	unsigned char *head;
	unsigned char *data;
	refcount_t users;
	__u8 tstamp_type : 2; /* since 6.11 */
};

struct sk_buff___mono { /* 5.18 to 6.10 */
	__u8 mono_delivery_time : 1;
};

struct sk_buff_head {
	struct sk_buff *next;
	struct sk_buff *prev;
};

/* include/net/sock.h */
struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

/* before 5.15: the pointer, if bit 0 is clear; bit 1 is a flag */
struct sock_cgroup_data___tagged {
	__u64 val;
};

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	int owned; /* a process has locked the socket */
} socket_lock_t;

struct sock {
	struct sock_common __sk_common;
	socket_lock_t sk_lock;
	struct sk_buff_head sk_receive_queue;
	__u8 sk_kern_sock : 1;
	atomic_t sk_drops;
	int sk_err;
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
	__u16 sk_type;
	__u16 sk_protocol;
	struct sock_cgroup_data sk_cgrp_data;
};

/* include/linux/tcp.h, and what it is made of */
struct inet_connection_sock {
	__u8 icsk_ca_state : 5;
	__u8 icsk_pending;
};

struct minmax_sample {
	__u32 v;
};

struct minmax {
	struct minmax_sample s[3];
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 segs_in;
	__u32 segs_out;
	__u64 bytes_received;
	__u64 bytes_acked;
	__u32 snd_una;
	__u32 snd_wnd;
	__u32 snd_cwnd;
	__u32 snd_ssthresh;
	__u32 srtt_us; /* eighths of a microsecond */
	struct minmax rtt_min;
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 write_seq;
	__u32 total_retrans;
	__u32 rcv_ooopack;
};

struct request_sock {
	struct sock_common __req_common;
};

struct tcp_request_sock {
	__u64 snt_synack; /* when the first SYN-ACK was sent, in microseconds */
};

struct inet_timewait_sock {
	volatile unsigned char tw_substate;
};

struct tcp_timewait_sock {
	struct inet_timewait_sock tw_sk;
};

struct tcp_skb_cb {
	__u16 tcp_gso_segs;
};

/* include/linux/udp.h */
struct udp_sock {
	struct sk_buff_head reader_queue;
};

/* include/linux/sched.h */
struct nsproxy {
	struct net *net_ns;
};

struct task_struct {
	int pid;  /* of the thread */
	int tgid; /* of the process */
	char comm[16];
	struct nsproxy *nsproxy;
};

/* include/net/xdp.h */
struct xdp_rxq_info {
	struct net_device *dev;
};

struct xdp_buff {
	struct xdp_rxq_info *rxq;
};

/* include/linux/timer_types.h (include/linux/timer.h before 6.8) */
struct timer_list {
	void (*function)(struct timer_list *timer);
};

#pragma clang attribute pop

/* include/linux/interrupt.h: softirq vectors are 0 … NR_SOFTIRQS - 1, unchanged since 4.x. */
#define NR_SOFTIRQS 10
