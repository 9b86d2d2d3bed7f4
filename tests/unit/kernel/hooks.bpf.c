// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Programs for traffic control: three count the packets that they see, and one decides. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u64);
} packets SEC(".maps");

static __always_inline int count(__u32 program)
{
	__u64 *n = bpf_map_lookup_elem(&packets, &program);

	if (n)
		__sync_fetch_and_add(n, 1);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int first(struct __sk_buff *skb)
{
	return count(0);
}

SEC("tc")
int second(struct __sk_buff *skb)
{
	return count(1);
}

SEC("tc")
int third(struct __sk_buff *skb)
{
	return count(2);
}

/* Ends the list of programs: those behind it see nothing. */
SEC("tc")
int verdict(struct __sk_buff *skb)
{
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
