/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A program of somebody else's; and one of the name that libxdp gives to what it attaches. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("xdp")
int foreign(struct xdp_md *xdp)
{
	(void)xdp;
	return XDP_PASS;
}

SEC("xdp/dispatcher")
int xdp_dispatcher(struct xdp_md *xdp)
{
	(void)xdp;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
