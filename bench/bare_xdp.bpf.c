/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The same as bare.bpf.c at XDP. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "spread.bpf.h"

SEC("xdp")
int bare(struct xdp_md *xdp)
{
	return XDP_PASS;
}

SEC("xdp")
int drop(struct xdp_md *xdp)
{
	return XDP_DROP;
}

SEC("xdp")
int spread(struct xdp_md *xdp)
{
	void *data = (void *)(long)xdp->data, *end = (void *)(long)xdp->data_end;

	if (spread_packet(data, end))
		bpf_tail_call(xdp, &measured, 0);
	return XDP_ABORTED;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
