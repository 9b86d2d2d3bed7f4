// SPDX-License-Identifier: MIT
#include "kernel/compat.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The start of union bpf_attr for BPF_LINK_CREATE of a netfilter program. */
struct netfilter_link_attr {
	uint32_t prog_fd;
	uint32_t target_fd;
	uint32_t attach_type;
	uint32_t flags;
	uint32_t family;
	uint32_t hook;
	int32_t priority;
	uint32_t netfilter_flags;
};

int compat_netfilter_link(int prog_fd, const struct compat_netfilter *where)
{
	/* The kernel wants a whole union, with zeros in what it is not told. */
	union {
		union bpf_attr whole;
		struct netfilter_link_attr link;
	} attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.link = (struct netfilter_link_attr){
		.prog_fd = (uint32_t)prog_fd,
		.attach_type = COMPAT_BPF_NETFILTER,
		.family = where->family,
		.hook = where->hook,
		.priority = where->priority,
		.netfilter_flags = where->defragment ? COMPAT_BPF_F_NETFILTER_IP_DEFRAG : 0,
	};
	fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	return fd < 0 ? -errno : fd;
}
