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
 *	native		0 if v is 0, else 1 + its index	0, then 2^((bucket - 1) / 2^schema)
 *
 * `le` includes its bound, therefore up: 8 belongs to le="8" and 9 does not. A value under the
 * lowest bound counts in bucket min; one above the highest in bucket max, because a map can say
 * nothing beyond: choose max so that this does not happen. Key max + 1 holds the sum of all values.
 *
 * The map is a hash of 8-byte values, with (max - min + 2) entries for each set of other labels.
 * For a histogram inside a value struct (`values:` in the manifest) index with the
 * histogram_*_bucket functions.
 *
 * Native histograms are as fine as you like at the price of one bucket's key more or less: schema n
 * has 2^n buckets from one power of two to the next (n from 0 to 5: 100%, 41%, 19%, 9%, 4.4% or
 * 2.2% wide). Prometheus gets them as they are, in one series; text shows one bucket for each power
 * of two. Bounds are exact. So that they are powers of two of *seconds*, count in units of 2^-30 s,
 * a little less than a nanosecond:
 *
 *	histogram_add_native(&latency, key, histogram_scale_ns(nanoseconds), 3, 0, 300);
 *
 *	bucket_type: native
 *	schema: 3
 *	bucket_max: 300				# 2^(299/8) units, 167 s
 *	bucket_multiplier: 2^-30
 *
 * The last bucket for numbers up to 2^e is e × 2^schema + 1. A bucket_min above 0 saves the keys of
 * what is too small to matter: all that is in or under that bucket counts as zero, and Prometheus
 * is told where that ends.
 */
#pragma once

#include <linux/types.h>

#include "maps.bpf.h"

/* 1 where @value is above @limit, else 0, of numbers below 2^63: the highest bit of the difference.
 * A comparison would be a branch in BPF, and the verifier would follow both sides of each. */
static __always_inline __u64 histogram_exceeds(__u64 value, __u64 limit)
{
	return (limit - value) >> 63;
}

/* The number of the highest bit that is set; 0 for 0. Halving steps, as BPF has no instruction for
 * it, and a loop would cost a branch for each bit. What the last four bits give is looked up in
 * a number that has two bits for each value. */
static __always_inline __u32 histogram_highest_bit(__u64 value)
{
	__u64 shift, bit;

	bit = ((value >> 32) + 0xffffffff) >> 32 << 5;
	value >>= bit;
	shift = histogram_exceeds(value, 0xffff) << 4;
	value >>= shift;
	bit |= shift;
	shift = histogram_exceeds(value, 0xff) << 3;
	value >>= shift;
	bit |= shift;
	shift = histogram_exceeds(value, 0xf) << 2;
	value >>= shift;
	return (__u32)(bit | shift) | (0xffffaa50 >> 2 * value & 3);
}

/* log2(value) rounded up; 0 for 0 and 1. */
static __always_inline __u32 histogram_log2_up(__u64 value)
{
	return value <= 1 ? 0 : histogram_highest_bit(value - 1) + 1;
}

/* 2^(i/32), times 2^63 and rounded down: a number of 64 bits whose highest is set is above the
 * exact one, which is no whole number but for i = 0, if and only if it is above this. */
static const __u64 histogram_parts[32] = {
	0x8000000000000000, 0x82cd8698ac2ba1d7, 0x85aac367cc487b14, 0x88980e8092da8527,
	0x8b95c1e3ea8bd6e6, 0x8ea4398b45cd53c0, 0x91c3d373ab11c336, 0x94f4efa8fef70961,
	0x9837f0518db8a96f, 0x9b8d39b9d54e5538, 0x9ef5326091a111ad, 0xa27043030c496818,
	0xa5fed6a9b15138ea, 0xa9a15ab4ea7c0ef8, 0xad583eea42a14ac6, 0xb123f581d2ac258f,
	0xb504f333f9de6484, 0xb8fbaf4762fb9ee9, 0xbd08a39f580c36be, 0xc12c4cca66709456,
	0xc5672a115506dadd, 0xc9b9bd866e2f27a2, 0xce248c151f8480e3, 0xd2a81d91f12ae45a,
	0xd744fccad69d6af4, 0xdbfbb797daf23755, 0xe0ccdeec2a94e111, 0xe5b906e77c8348a8,
	0xeac0c6e7dd24392e, 0xefe4b99bdcdaf5cb, 0xf5257d152486cc2c, 0xfa83b2db722a033a,
};

/* Whether @mantissa is above histogram_parts[@part], 1 or 0. No branch, of which the verifier would
 * follow both sides: both have their highest bit, so that their difference has it if negative. */
static __always_inline __u32 histogram_is_above(__u64 mantissa, __u32 part)
{
	/* That part is below 32 must be seen here by the verifier, not just by the compiler. */
	asm volatile("" : "+r"(part));
	return (histogram_parts[part & 31] - mantissa) >> 63;
}

/* The native index of @value, which is not 0: the k with 2^((k-1)/2^schema) < value ≤
 * 2^(k/2^schema). */
static __always_inline __u32 histogram_native_index(__u64 value, __u32 schema)
{
	__u32 octave = histogram_highest_bit(value);
	__u64 mantissa = value << (63 - octave);
	__u32 part = 0; /* the last one that it is above, in steps of an octave's 32 parts */

	if (schema >= 1)
		part |= histogram_is_above(mantissa, part | 16) << 4;
	if (schema >= 2)
		part |= histogram_is_above(mantissa, part | 8) << 3;
	if (schema >= 3)
		part |= histogram_is_above(mantissa, part | 4) << 2;
	if (schema >= 4)
		part |= histogram_is_above(mantissa, part | 2) << 1;
	if (schema >= 5)
		part |= histogram_is_above(mantissa, part | 1);
	return (octave << schema) + (part >> (5 - schema)) +
	       (__u32)histogram_exceeds(mantissa ^ histogram_parts[0], 0);
}

/* The upper half of @a × @b. BPF multiplies 64 bits by 64 to the lower half only. */
static __always_inline __u64 histogram_multiply_high(__u64 a, __u64 b)
{
	__u64 a_low = (__u32)a, a_high = a >> 32;
	__u64 b_low = (__u32)b, b_high = b >> 32;
	__u64 middle = a_high * b_low + (a_low * b_low >> 32);
	__u64 other = a_low * b_high + (__u32)middle;

	return a_high * b_high + (middle >> 32) + (other >> 32);
}

/*
 * Nanoseconds in units of 2^-30 s: ns × 2^30 / 10^9, rounded up. Up to 2^43 ns (2.4 hours) that is
 * exact; beyond, what should have been rounded up may be rounded down. So the result is less than
 * one unit, 0.93 ns, off, and never above a power of two that the time is not above: the bounds
 * that are powers of two of seconds stay exact, and a time that is less than a unit below another
 * bound may count above it.
 *
 * The factor is 1 + 144027/1953125, of which the fraction is taken in 64 bits, rounded down: for
 * less than 2^43 ns the product is short by less than the fraction's smallest step, 1/1953125.
 */
static __always_inline __u64 histogram_scale_ns(__u64 ns)
{
	const __u64 fraction = 0x12e0be826d694b2e;
	__u64 units = ns + histogram_multiply_high(ns, fraction) + (ns != 0);

	return units < ns ? ~0ULL : units; /* more than 544 years */
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

static __always_inline __u32 histogram_native_bucket(__u64 value, __u32 schema, __u32 min,
						     __u32 max)
{
	return histogram_clamp(value ? histogram_native_index(value, schema) + 1 : 0, min, max);
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

#define histogram_add_native(map, key, value, schema, min, max)                                    \
	histogram_add(map, key, histogram_native_bucket(value, schema, min, max), max, value,      \
		      map_add)

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

#define histogram_add_native_percpu(map, key, value, schema, min, max)                             \
	histogram_add(map, key, histogram_native_bucket(value, schema, min, max), max, value,      \
		      map_add_percpu)

#define histogram_add_linear_percpu(map, key, value, step, min, max)                               \
	histogram_add(map, key, histogram_linear_bucket(value, step, min, max), max,               \
		      ((value) + (step) / 2) / (step), map_add_percpu)
