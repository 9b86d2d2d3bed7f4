/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Who sends a packet that leaves: in a TC program on egress, where that is known for certain.
 *
 *	struct sender sender;
 *
 *	if (sender_find(skb, &sender)) …
 */
#pragma once

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/types.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kernel_types.bpf.h"

enum { SENDER_COMMAND_LEN = 16 }; /* TASK_COMM_LEN */

struct sender {
	__u32 pid;
	char command[SENDER_COMMAND_LEN]; /* of the thread */
};

/* The kernel's address of a socket as a number, so that any field can be read: the verifier takes
 * it for a struct bpf_sock, and lets nobody go beyond that. */
static __always_inline const struct sock *sender_kernel_socket(const struct bpf_sock *sk)
{
	const struct sock *address = NULL;

	bpf_probe_read_kernel(&address, sizeof(address), &sk);
	return address;
}

/*
 * Whether the process that this CPU is at sends the packet. It need not: TCP also sends while it
 * handles what has arrived, and whoever was interrupted by that has nothing to do with it. But
 * where a process has taken the socket's lock, what arrives is put aside (sk_add_backlog()) and
 * timers wait, so that the owner alone sends; SCTP works likewise. Other protocols send only
 * when told to, by whose socket it is, except through sockets of the kernel's own, which answer
 * pings and refuse connections. A packet that came in before was sent some time ago.
 */
static __always_inline bool sender_is_current(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	const struct sock *socket;

	if (!sk || skb->ingress_ifindex)
		return false;
	sk = bpf_sk_fullsock(sk); /* not an embryo of one, which answers a SYN */
	if (!sk)
		return false;
	socket = sender_kernel_socket(sk);
	if (BPF_CORE_READ_BITFIELD_PROBED(socket, sk_kern_sock))
		return false;
	if (sk->protocol == IPPROTO_TCP || sk->protocol == IPPROTO_SCTP)
		return BPF_CORE_READ(socket, sk_lock.owned) != 0;
	return true;
}

/* False: nobody knows, and *@sender is as it was. */
static __always_inline bool sender_find(struct __sk_buff *skb, struct sender *sender)
{
	const struct task_struct *task;

	if (!sender_is_current(skb))
		return false;
	task = (const void *)bpf_get_current_task();
	sender->pid = BPF_CORE_READ(task, tgid);
	return bpf_core_read(sender->command, sizeof(sender->command), &task->comm) == 0;
}
