/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Programs of somebody else's, for libxdp's dispatcher: each counts the packets that it lets by. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} packets SEC(".maps");

static __always_inline int count(void)
{
	const __u32 first = 0;
	__u64 *value = bpf_map_lookup_elem(&packets, &first);

	if (value)
		__sync_fetch_and_add(value, 1);
	return XDP_PASS;
}

SEC("xdp.frags")
int one(struct xdp_md *xdp)
{
	(void)xdp;
	return count();
}

SEC("xdp")
int another(struct xdp_md *xdp)
{
	(void)xdp;
	return count();
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
