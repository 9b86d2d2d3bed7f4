/* SPDX-License-Identifier: MIT */
/*
 * What kernels have and the headers of libbpf 1.1 and Linux 6.1 do not name. The values are the
 * kernel's ABI (include/uapi/linux/bpf.h), so naming them here is safe on every kernel.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	COMPAT_BPF_PROG_TYPE_NETFILTER = 32, /* enum bpf_prog_type, Linux 6.4 */
	COMPAT_BPF_NETFILTER = 45,           /* enum bpf_attach_type, Linux 6.4 */
	COMPAT_BPF_TCX_INGRESS = 46,         /* Linux 6.6 */
	COMPAT_BPF_TCX_EGRESS = 47,
};

/* enum bpf_map_type, Linux 6.2 */
enum { COMPAT_BPF_MAP_TYPE_CGRP_STORAGE = 32 };
enum { COMPAT_BPF_F_NETFILTER_IP_DEFRAG = 1 << 0 };

enum {
	COMPAT_BPF_F_BEFORE = 1 << 3, /* bpf_mprog: without an anchor, the head of the list */
	COMPAT_BPF_F_AFTER = 1 << 4,
};

/* include/linux/errno.h: not meant for user space, and yet what bpf(2) gives back for an operation
 * that a map type does not have. */
enum { COMPAT_ENOTSUPP = 524 };

/* Where a netfilter program goes: NFPROTO_* and NF_INET_* of <linux/netfilter.h>. */
struct compat_netfilter {
	uint32_t family;
	uint32_t hook;
	int32_t priority; /* lower runs first; each can be used once a hook */
	bool defragment;  /* let the kernel put fragments together before (Linux 6.6) */
};

/* The descriptor of a link, or a negative errno. */
int compat_netfilter_link(int prog_fd, const struct compat_netfilter *where);
