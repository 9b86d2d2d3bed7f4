/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The least that a TC program can do, which the pipeline is measured against; and what gives each
 * packet a flow of its own before either. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

/* Of the test packet: where the last four bytes of the source address are, and the source port. */
const volatile __u32 address_offset = 0;
const volatile __u32 port_offset = 0;
const volatile __u32 flows = 1;

__u32 random_state = 1;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} measured SEC(".maps");

SEC("tc")
int bare(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}

/* Marsaglia, "Xorshift RNGs": period 2^32 - 1. */
static __always_inline __u32 next_random(void)
{
	__u32 x = random_state;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	random_state = x;
	return x;
}

SEC("tc")
int spread(struct __sk_buff *skb)
{
	__u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 flow = next_random() % flows;
	__u32 *address = (void *)(data + address_offset);
	__u16 *port = (void *)(data + port_offset);

	if ((void *)(address + 1) > (void *)end || (void *)(port + 1) > (void *)end)
		return TC_ACT_SHOT;
	*address = flow;
	*port = flow;
	bpf_tail_call(skb, &measured, 0);
	return TC_ACT_SHOT;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
