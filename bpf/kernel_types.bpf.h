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
	int ifindex;
	possible_net_t nd_net;
};

/* include/linux/netfilter.h: NF_INET_…, NFPROTO_… */
struct nf_hook_state {
	__u8 hook;
	__u8 pf;
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

/* include/linux/skbuff.h */
struct sk_buff {
	struct sk_buff *next;
	struct net_device *dev;
	struct sock *sk;
	__s64 tstamp; /* ktime_t */
	int skb_iif;
	__be16 protocol;
	__u16 network_header;
	unsigned char *head;
	unsigned char *data;
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
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

typedef struct {
	int owned; /* a process has locked the socket */
} socket_lock_t;

struct sock {
	struct sock_common __sk_common;
	socket_lock_t sk_lock;
	struct sk_buff_head sk_receive_queue;
	__u8 sk_kern_sock : 1;
	__u16 sk_type;
	__u16 sk_protocol;
	struct sock_cgroup_data sk_cgrp_data;
};

/* include/linux/udp.h */
struct udp_sock {
	struct sk_buff_head reader_queue;
};

/* include/linux/sched.h */
struct task_struct {
	int pid;  /* of the thread */
	int tgid; /* of the process */
	char comm[16];
};

/* include/linux/timer_types.h (include/linux/timer.h before 6.8) */
struct timer_list {
	void (*function)(struct timer_list *timer);
};

#pragma clang attribute pop

/* include/linux/interrupt.h: softirq vectors are 0 … NR_SOFTIRQS - 1, unchanged since 4.x. */
#define NR_SOFTIRQS 10
