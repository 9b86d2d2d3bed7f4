/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A program that loads everywhere and can be attached nowhere: no kernel has this tracepoint. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("raw_tp/wiregauge_nowhere")
int nowhere(void *ctx)
{
	(void)ctx;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
