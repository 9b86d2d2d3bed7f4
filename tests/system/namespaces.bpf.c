/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Frames by interface, at XDP and in several network namespaces: for test_namespaces.py. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "interface.bpf.h"
#include "maps.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} frames_total SEC(".maps");

SEC("xdp")
int count_frame(struct xdp_md *xdp)
{
	__u32 interface = interface_id_xdp(xdp);

	map_add(&frames_total, &interface, 1);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
