/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the formats of the exposition have to tell: labels of any bytes, which a test writes, and
 * histograms of the numbers that a test gives to the program. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "histogram.bpf.h"

struct text_key {
	char text[64];
	__u32 number;
};

struct bucket_key {
	__u32 label;
	__u32 bucket;
};

#define MAP(name, entries, key_type)                                                               \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_HASH);                                                   \
		__uint(max_entries, entries);                                                      \
		__type(key, key_type);                                                             \
		__type(value, __u64);                                                              \
	} name SEC(".maps")

MAP(texts_total, 100000, struct text_key);
MAP(runs, 4, __u32);
MAP(pair, 4, __u32);
MAP(pair_total, 4, __u32);
MAP(empty_total, 4, __u32);
MAP(classic_seconds, 100, struct bucket_key);
MAP(coarse_seconds, 100, struct bucket_key);
MAP(fine_seconds, 3000, struct bucket_key);

/* Bounds in units of 2^-30 s; test_formats.py has them in its config. */
#define OCTAVES  40
#define FINE     5
#define FINE_MAX (OCTAVES * 32 + 1)

/* Arguments: a number, and the label that it goes under. It is only ever run by BPF_PROG_RUN. */
SEC("raw_tp/wiregauge_nowhere")
int observe(struct bpf_raw_tracepoint_args *ctx)
{
	struct bucket_key key = {.label = (__u32)ctx->args[1]};
	__u64 value = ctx->args[0];

	histogram_add_exp2(&classic_seconds, key, value, 0, OCTAVES);
	histogram_add_native(&coarse_seconds, key, value, 0, 0, OCTAVES + 1);
	histogram_add_native(&fine_seconds, key, value, FINE, 0, FINE_MAX);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
