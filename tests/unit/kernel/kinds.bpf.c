// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Variables, maps and programs of every kind that object.c tells apart. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>

enum mood { CALM, WILD = 7 };

const volatile bool on = false;
const volatile __u8 byte = 1;
const volatile __u16 port = 2;
const volatile __u32 limit = 3;
const volatile __s32 offset = 4;
const volatile __u64 address = 5;
const volatile enum mood mood = CALM;
const volatile char device[16] = "none";
const volatile __u32 list[2] = {1, 2};
const volatile __u32 apart SEC(".rodata.apart") = 6;

/* What the program saw of them, for the test to compare. */
struct seen {
	__u64 on, byte, port, limit, offset, address, mood, apart;
	char device[16];
	__u64 list;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct seen);
} results SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 10);
	__type(key, __u32);
	__type(value, __u64);
} by_cpu SEC(".maps");

SEC("tc")
int look(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct seen *seen = bpf_map_lookup_elem(&results, &zero);

	if (!seen)
		return TC_ACT_UNSPEC;
	seen->on = on;
	seen->byte = byte;
	seen->port = port;
	seen->limit = limit;
	seen->offset = offset;
	seen->address = address;
	seen->mood = mood;
	seen->apart = apart;
	seen->list = list[0] + list[1];
	for (int i = 0; i < 16; i++)
		seen->device[i] = device[i];
	return TC_ACT_UNSPEC;
}

__u64 switches;

SEC("raw_tp/sched_switch")
int on_switch(void *ctx)
{
	__sync_fetch_and_add(&switches, 1);
	return 0;
}

SEC("?tp_btf/sched_switch")
int on_switch_btf(void *ctx)
{
	__sync_fetch_and_add(&switches, 1);
	return 0;
}

SEC("?tp_btf/no_such_tracepoint")
int missing_btf(void *ctx)
{
	return 0;
}

SEC("?raw_tp/no_such_tracepoint")
int missing_raw(void *ctx)
{
	return 0;
}

SEC("?tp/no/such_tracepoint")
int missing_tp(void *ctx)
{
	return 0;
}

SEC("?tc")
int out_of_bounds(struct __sk_buff *skb)
{
	__u64 *beyond = (__u64 *)(long)skb->data;

	return (int)*beyond;
}

SEC("?kprobe")
int nowhere(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
