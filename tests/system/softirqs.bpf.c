/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* How many softirqs a program sees begin, for left_out.py. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

__u64 softirqs;

SEC("raw_tp/softirq_entry")
int on_softirq(void *ctx)
{
	__sync_fetch_and_add(&softirqs, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
