/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#pragma once

#include "stage.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct packet);
} second_packets SEC(".maps");

/* Keeps the last one. */
static __always_inline int second_stage(struct packet *p)
{
	__u32 zero = 0;
	struct packet *last = bpf_map_lookup_elem(&second_packets, &zero);

	if (!last)
		return XDP_ABORTED;
	*last = *p;
	last->xdp = NULL;
	return STAGE_NEXT;
}
