// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* A program that the exporter itself makes run once, when all others are attached. */
#include "dropin.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} post_attach_runs_total SEC(".maps");

SEC("uprobe//proc/self/exe:post_attach_mark")
int post_attach(void *ctx)
{
	__u32 zero = 0;

	increment_map(&post_attach_runs_total, &zero, 1);
	return 0;
}

/* Stays unloaded: what it would attach to does not exist. */
SEC("?raw_tp/no_such_tracepoint")
int optional(void *ctx)
{
	return 0;
}
