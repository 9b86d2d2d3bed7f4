// SPDX-License-Identifier: MIT
/* What can be wrong with the buckets of a histogram. */
#include <math.h>

#include "config/language.h"

static void check_fixed_buckets(const struct binding *at, const struct bucket_config *b)
{
	struct place place = binding_place(at, "bucket_keys");

	if (!binding_has(at, "bucket_keys")) {
		binding_error(at, at->place,
			      "missing key 'bucket_keys', which bucket_type fixed needs");
		return;
	}
	if (!binding_is_right(at, "bucket_keys"))
		return;
	for (size_t i = 1; i < b->keys.count; i++) {
		if (b->keys.items[i - 1] >= b->keys.items[i]) {
			binding_error(at, place, "'bucket_keys' must ascend: %llu comes after %llu",
				      (unsigned long long)b->keys.items[i],
				      (unsigned long long)b->keys.items[i - 1]);
			return;
		}
	}
}

/* Map keys of 64 bits have 64 buckets of powers of two; exp2zero has one more, for zero. */
static const struct {
	const char *name;
	uint32_t last;
	uint32_t most;
} bucket_ranges[] = {
	[BUCKET_NATIVE] = {"native", UINT32_MAX, 4096},
	[BUCKET_EXP2] = {"exp2", 63, 64},
	[BUCKET_EXP2ZERO] = {"exp2zero", 64, 65},
	[BUCKET_LINEAR] = {"linear", UINT32_MAX, 4096},
};

/* Factors beyond these leave what Prometheus can number, or the range of a double. */
enum { NATIVE_EXPONENT_MAX = 128 };

static void check_native_only(const struct binding *at, const struct bucket_config *b)
{
	static const char *const keys[] = {"schema", "classic_schema"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (binding_has(at, keys[i]) && b->type != BUCKET_NATIVE)
			binding_error(at, binding_place(at, keys[i]),
				      "'%s' goes with bucket_type native only", keys[i]);
	}
}

static void check_native_multiplier(const struct binding *at, const struct bucket_config *b)
{
	struct place place = binding_place(at, "bucket_multiplier");
	int exponent;

	if (!binding_is_right(at, "bucket_multiplier") || b->multiplier == 0)
		return;
	if (frexp(b->multiplier, &exponent) != 0.5)
		binding_error(at, place,
			      "'bucket_multiplier': with bucket_type native it must be a power of "
			      "two, such as 2^-30 for what histogram_scale_ns() makes of "
			      "nanoseconds");
	else if (exponent - 1 < -NATIVE_EXPONENT_MAX || exponent - 1 > NATIVE_EXPONENT_MAX)
		binding_error(at, place,
			      "'bucket_multiplier': with bucket_type native it must be from 2^-%d "
			      "to 2^%d",
			      NATIVE_EXPONENT_MAX, NATIVE_EXPONENT_MAX);
}

/* Numbers of 64 bits have 64 octaves, and there is a bucket for zero. */
static void check_native_buckets(const struct binding *at, const struct bucket_config *b)
{
	uint32_t last = 64 * (1U << b->schema) + 1;

	if (!binding_has(at, "schema"))
		binding_error(at, at->place,
			      "missing key 'schema', which bucket_type native needs");
	else if (!binding_is_right(at, "schema"))
		return;
	else if (binding_is_right(at, "bucket_max") && b->max > last)
		binding_error(at, binding_place(at, "bucket_max"),
			      "bucket_max %u: with bucket_type native and schema %u the last one "
			      "can be %u",
			      b->max, b->schema, last);
	else if (binding_is_right(at, "classic_schema") && b->classic_schema > b->schema)
		binding_error(at, binding_place(at, "classic_schema"),
			      "classic_schema %u is finer than schema %u", b->classic_schema,
			      b->schema);
	check_native_multiplier(at, b);
}

static void check_bucket_range(const struct binding *at, const struct bucket_config *b)
{
	struct place place = binding_place(at, "bucket_max");

	if (binding_has(at, "bucket_keys"))
		binding_error(at, binding_place(at, "bucket_keys"),
			      "'bucket_keys' goes with bucket_type fixed only");
	if (!binding_has(at, "bucket_max"))
		binding_error(at, at->place, "missing key 'bucket_max', which bucket_type %s needs",
			      bucket_ranges[b->type].name);
	else if (!binding_is_right(at, "bucket_max"))
		return;
	else if (b->max < b->min)
		binding_error(at, place, "bucket_max %u is below bucket_min %u", b->max, b->min);
	else if (b->max > bucket_ranges[b->type].last)
		binding_error(at, place,
			      "bucket_max %u: with bucket_type %s the last one can be %u", b->max,
			      bucket_ranges[b->type].name, bucket_ranges[b->type].last);
	else if (b->max - b->min >= bucket_ranges[b->type].most)
		binding_error(at, place, "%u buckets are too many: at most %u", b->max - b->min + 1,
			      bucket_ranges[b->type].most);
}

void check_buckets(const struct binding *at, const struct bucket_config *b)
{
	if (b->type == BUCKET_NONE && !binding_has(at, "bucket_type"))
		binding_error(at, at->place,
			      "missing key 'bucket_type' in a histogram: exp2, exp2zero, linear, "
			      "fixed or native");
	else if (b->type == BUCKET_FIXED)
		check_fixed_buckets(at, b);
	else if (b->type != BUCKET_NONE)
		check_bucket_range(at, b);
	if (b->type == BUCKET_NATIVE)
		check_native_buckets(at, b);
	else if (b->type != BUCKET_NONE)
		check_native_only(at, b);
}

void check_no_buckets(const struct binding *at)
{
	static const char *const keys[] = {
		"bucket_type", "bucket_min", "bucket_max", "bucket_multiplier",
		"bucket_keys", "sum_offset", "schema",     "classic_schema",
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (binding_has(at, keys[i]))
			binding_error(at, binding_place(at, keys[i]),
				      "'%s' is for values of type histogram", keys[i]);
	}
}
