/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A program of a kind that nobody knows, and one that all take. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("kprobe.wiregauge/f")
int on_no_kind(void *ctx)
{
	(void)ctx;
	return 0;
}

SEC("raw_tp/sys_exit")
int sound(void *ctx)
{
	(void)ctx;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
