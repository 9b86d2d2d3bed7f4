/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A program that sends what the packet of a test run has behind its Ethernet header as a record,
 * while somebody looks. It returns 0 when it was sent, 1 when it was lost, 2 when nobody looks. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "events.bpf.h"

enum { HEADER = 14 };

struct closed {
	__u8 source[16];
	__u16 port;
	__u16 pad;
	__u32 number;
	__u64 bytes;
	__u64 duration_ns;
	char process[16];
};

RECORDS(closed, 16384);

SEC("tc") int send_closed(struct __sk_buff *skb)
{
	struct closed record = {0};

	if (!records_wanted(closed))
		return 2;
	if (bpf_skb_load_bytes(skb, HEADER, &record, sizeof(record)))
		return 3;
	return !records_send(closed, &record);
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} rounds SEC(".maps");

struct bpf_iter__bpf_map {
	void *meta;
	void *map;
};

/* Counts how often it goes round. */
SEC("?iter/bpf_map")
int count_rounds(struct bpf_iter__bpf_map *ctx)
{
	__u32 zero = 0, *count = ctx->map ? NULL : bpf_map_lookup_elem(&rounds, &zero);

	if (count)
		(*count)++;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
