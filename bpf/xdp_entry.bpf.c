/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What of ours is in a dispatcher of libxdp's (src/kernel/xdp_dispatcher.h): it goes on to the
 * program in its map. Where there is none the packet passes, and those behind it in the dispatcher
 * see it.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} wiregauge_next SEC(".maps");

SEC("xdp")
int wiregauge_entry(struct xdp_md *xdp)
{
	bpf_tail_call(xdp, &wiregauge_next, 0);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
