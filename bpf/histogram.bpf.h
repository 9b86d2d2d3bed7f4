/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Histograms in maps. The key is a struct of yours whose last member is called `bucket` (an
 * unsigned integer), and the manifest's last label is that bucket:
 *
 *	struct key { __u32 vector; __u32 bucket; };
 *	struct key key = { .vector = vector };
 *	histogram_add_exp2(&latency, key, nanoseconds, 8, 30);
 *
 *	bucket_type: exp2
 *	bucket_min: 8
 *	bucket_max: 30
 *	bucket_multiplier: 0.000000001		# buckets are in seconds
 *
 * The bounds given here must be those of the manifest:
 *
 *	type		a value v counts in bucket	whose upper bound (le, inclusive) is
 *	exp2		log2(v), rounded up		2^bucket
 *	exp2zero	0 if v is 0, else 1 + the same	0, 1, 2, 4 … 2^(bucket - 1)
 *	linear		v / step, rounded up		bucket × step (bucket_multiplier = step)
 *
 * `le` includes its bound, therefore up: 8 belongs to le="8" and 9 does not. A value under the
 * lowest bound counts in bucket min; one above the highest in bucket max, because a map can say
 * nothing beyond: choose max so that this does not happen. Key max + 1 holds the sum of all values.
 *
 * The map is a hash of 8-byte values, with (max - min + 2) entries for each set of other labels.
 * For a histogram inside a value struct (`values:` in the manifest) index with the
 * histogram_*_bucket functions.
 */
#pragma once

#include <linux/types.h>

#include "maps.bpf.h"

/* log2(value) rounded up; 0 for 0 and 1. Halving steps: BPF has no instruction for it, and a loop
 * would cost a branch for each bit. */
static __always_inline __u32 histogram_log2_up(__u64 value)
{
	__u32 log = 0;
	__u32 shift;

	if (value <= 1)
		return 0;
	value--;
	shift = (value > 0xffffffff) << 5;
	value >>= shift;
	log |= shift;
	shift = (value > 0xffff) << 4;
	value >>= shift;
	log |= shift;
	shift = (value > 0xff) << 3;
	value >>= shift;
	log |= shift;
	shift = (value > 0xf) << 2;
	value >>= shift;
	log |= shift;
	shift = (value > 0x3) << 1;
	value >>= shift;
	log |= shift;
	return log + (value > 1) + 1;
}

static __always_inline __u32 histogram_clamp(__u64 bucket, __u32 min, __u32 max)
{
	if (bucket < min)
		return min;
	return bucket > max ? max : bucket;
}

static __always_inline __u32 histogram_exp2_bucket(__u64 value, __u32 min, __u32 max)
{
	return histogram_clamp(histogram_log2_up(value), min, max);
}

static __always_inline __u32 histogram_exp2zero_bucket(__u64 value, __u32 min, __u32 max)
{
	return histogram_clamp(value ? histogram_log2_up(value) + 1 : 0, min, max);
}

static __always_inline __u32 histogram_linear_bucket(__u64 value, __u64 step, __u32 min, __u32 max)
{
	return histogram_clamp(value / step + (value % step != 0), min, max);
}

/*
 * Count @value in @bucket_ of @map, and add @sum_ to its sum; @add is map_add or map_add_percpu.
 * @key is the struct, not a pointer to it; its member `bucket` is overwritten.
 */
#define histogram_add(map, key, bucket_, max, sum_, add)                                           \
	do {                                                                                       \
		(key).bucket = (bucket_);                                                          \
		add((map), &(key), 1);                                                             \
		(key).bucket = (max) + 1;                                                          \
		add((map), &(key), (sum_));                                                        \
	} while (0)

#define histogram_add_exp2(map, key, value, min, max)                                              \
	histogram_add(map, key, histogram_exp2_bucket(value, min, max), max, value, map_add)

#define histogram_add_exp2zero(map, key, value, min, max)                                          \
	histogram_add(map, key, histogram_exp2zero_bucket(value, min, max), max, value, map_add)

/* The sum is in steps, as the engine multiplies it by bucket_multiplier: what is left over by the
 * division is rounded to the nearest step. */
#define histogram_add_linear(map, key, value, step, min, max)                                      \
	histogram_add(map, key, histogram_linear_bucket(value, step, min, max), max,               \
		      ((value) + (step) / 2) / (step), map_add)

/* The same into a per-CPU map; see map_add_percpu() about where that is right. */
#define histogram_add_exp2_percpu(map, key, value, min, max)                                       \
	histogram_add(map, key, histogram_exp2_bucket(value, min, max), max, value, map_add_percpu)

#define histogram_add_exp2zero_percpu(map, key, value, min, max)                                   \
	histogram_add(map, key, histogram_exp2zero_bucket(value, min, max), max, value,            \
		      map_add_percpu)

#define histogram_add_linear_percpu(map, key, value, step, min, max)                               \
	histogram_add(map, key, histogram_linear_bucket(value, step, min, max), max,               \
		      ((value) + (step) / 2) / (step), map_add_percpu)
