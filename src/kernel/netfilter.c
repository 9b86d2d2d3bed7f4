// SPDX-License-Identifier: MIT
#include "kernel/netfilter.h"

#include <linux/netfilter_ipv4.h>
#include <string.h>

enum { PRIORITIES_TRIED = 16 };

static const char *reason(int code, const struct compat_netfilter *where)
{
	switch (-code) {
	case EBUSY:
		return "this priority and the next ones have other BPF programs";
	case EPERM:
		return "Operation not permitted; run as root or give CAP_BPF and CAP_NET_ADMIN";
	case EOPNOTSUPP:
	case ENOENT:
		return where->defragment ? "this kernel cannot defragment for it" : NULL;
	case ERANGE:
		return where->defragment && where->priority <= NF_IP_PRI_CONNTRACK_DEFRAG
			       ? "defragment needs a priority over -400, where that is done"
			       : "the least and the greatest priority are the kernel's own";
	case EINVAL:
		return "this kernel has no BPF links of netfilter (Linux 6.4 and newer have them, "
		       "defragment 6.6)";
	default:
		return NULL;
	}
}

int netfilter_attach(int prog_fd, struct compat_netfilter *where, struct error *e)
{
	const struct compat_netfilter asked = *where;
	const char *why;
	int fd = -EBUSY;

	for (unsigned i = 0; i < PRIORITIES_TRIED && fd == -EBUSY; i++) {
		where->priority = asked.priority + (int)i;
		fd = compat_netfilter_link(prog_fd, where);
	}
	if (fd >= 0)
		return fd;
	why = reason(fd, &asked);
	return error_set(e, fd == -EINVAL ? -EOPNOTSUPP : fd, "cannot attach to netfilter: %s",
			 why ? why : strerror(-fd));
}
