// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* What lseek(2) is given, in histograms of all four types: whoever calls it chooses the values. */
#include "dropin.h"
#include <asm/unistd.h>
#include <linux/ptrace.h>

#define HISTOGRAM(name, key_type)                                                                  \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_HASH);                                                   \
		__uint(max_entries, 256);                                                          \
		__type(key, key_type);                                                             \
		__type(value, __u64);                                                              \
	} name SEC(".maps")

struct whence_key {
	__u16 whence;
	__u16 pad;
	__u64 bucket;
} __attribute__((packed));

HISTOGRAM(exp2_offset_seconds, struct whence_key);
HISTOGRAM(exp2zero_offset_bytes, __u32);
HISTOGRAM(linear_offset_bytes, __u16);
HISTOGRAM(fixed_offset_bytes, __u64);

enum { MAX_EXP2 = 20, MAX_EXP2ZERO = 6, MAX_LINEAR = 5, STEP = 100, LAST_FIXED = 500 };

static __always_inline void count_exp2(__u64 offset, __u16 whence)
{
	struct whence_key key = {.whence = whence, .bucket = log2l_up(offset)};

	if (key.bucket > MAX_EXP2)
		key.bucket = MAX_EXP2;
	increment_map(&exp2_offset_seconds, &key, 1);
	key.bucket = MAX_EXP2 + 1;
	increment_map(&exp2_offset_seconds, &key, offset);
}

static __always_inline void count_exp2zero(__u64 offset)
{
	__u32 bucket = offset ? (__u32)log2l_up(offset) + 1 : 0;

	if (bucket > MAX_EXP2ZERO)
		bucket = MAX_EXP2ZERO;
	increment_map(&exp2zero_offset_bytes, &bucket, 1);
}

static __always_inline void count_linear(__u64 offset)
{
	__u16 bucket = (__u16)((offset + STEP - 1) / STEP);

	if (offset > STEP * MAX_LINEAR)
		bucket = MAX_LINEAR;
	increment_map(&linear_offset_bytes, &bucket, 1);
	bucket = MAX_LINEAR + 1;
	increment_map(&linear_offset_bytes, &bucket, offset / STEP);
}

static __always_inline void count_fixed(__u64 offset)
{
	__u64 bucket = offset <= 1 ? 1 : offset <= 50 ? 50 : LAST_FIXED, sum = LAST_FIXED + 1;

	increment_map(&fixed_offset_bytes, &bucket, 1);
	increment_map(&fixed_offset_bytes, &sum, offset);
}

SEC("raw_tp/sys_enter")
int sys_enter(struct bpf_raw_tracepoint_args *ctx)
{
	const struct pt_regs *regs = (const struct pt_regs *)ctx->args[0];
	__u64 offset = 0, whence = 0;

	if (ctx->args[1] != __NR_lseek || !is_ours())
		return 0;
	bpf_probe_read_kernel(&offset, sizeof(offset), (const void *)&PT_REGS_PARM2(regs));
	bpf_probe_read_kernel(&whence, sizeof(whence), (const void *)&PT_REGS_PARM3(regs));
	count_exp2(offset, (__u16)whence);
	count_exp2zero(offset);
	count_linear(offset);
	count_fixed(offset);
	return 0;
}
