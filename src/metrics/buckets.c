// SPDX-License-Identifier: MIT
#include "metrics/buckets.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/*
 * 2^(@index / 2^@schema). Exact for whole powers; the others are the doubles next to them, as
 * Prometheus has them.
 */
static double power_of_two(int64_t index, uint32_t schema)
{
	int64_t octave = index >> schema; /* rounded down, below 0 too */
	int64_t part = index - octave * (INT64_C(1) << schema);

	return ldexp(exp2(ldexp((double)part, -(int)schema)), (int)octave);
}

/* The multiplier of a native histogram, a power of two: log2 of it. */
static int exponent_of(const struct buckets *b)
{
	int exponent;

	frexp(b->multiplier, &exponent);
	return exponent - 1;
}

/*
 * For bucket @index of a native histogram: which of the coarser classic buckets it is in. Its upper
 * bound is 2^(k / 2^schema), and the next classic one 2^(j / 2^classic_schema).
 */
static uint32_t classic_index(const struct bucket_config *c, uint32_t index)
{
	uint32_t step = 1U << (c->schema - c->classic_schema);

	return (c->min + index - 1 + step - 1) / step;
}

/* In units of the raw value, before the multiplier: config-format of ebpf_exporter, "histogram". */
static double raw_bound(const struct bucket_config *c, uint32_t index)
{
	uint32_t key = c->min + index;

	switch (c->type) {
	case BUCKET_EXP2:
		return ldexp(1, (int)key);
	case BUCKET_EXP2ZERO:
		return key == 0 ? 0 : ldexp(1, (int)key - 1);
	case BUCKET_FIXED:
		return (double)c->keys.items[index];
	case BUCKET_NATIVE:
		return key == 0 ? 0 : power_of_two(classic_index(c, index), c->classic_schema);
	case BUCKET_LINEAR:
	case BUCKET_NONE:
		break;
	}
	return key;
}

/* Whether bucket @index is folded into the classic one of the bucket before it. */
static bool shares_bound(const struct bucket_config *c, uint32_t index)
{
	return c->type == BUCKET_NATIVE && c->min + index > 1 && index > 0 &&
	       classic_index(c, index) == classic_index(c, index - 1);
}

static int add_bound(struct buckets *b, uint32_t index)
{
	_cleanup_buf_ struct buf text = {0};
	struct bucket_bound *bound = &b->bounds[b->n_bounds++];
	const char *number;

	bound->value = raw_bound(b->config, index) * b->multiplier;
	buf_add_double(&text, bound->value);
	number = buf_str(&text);
	if (!buf_ok(&text))
		return -ENOMEM;
	bound->len = (uint8_t)snprintf(bound->text, sizeof(bound->text), "le=\"%s\"} ", number);
	bound->whole = !strpbrk(number, ".en"); /* letters of an exponent, or of Inf */
	return 0;
}

static int add_bounds(struct buckets *b)
{
	uint32_t n_bounds = 0;

	for (uint32_t i = 0; i < b->count; i++)
		n_bounds += !shares_bound(b->config, i);
	b->bounds = calloc(n_bounds, sizeof(*b->bounds));
	if (!b->bounds)
		return -ENOMEM;
	for (uint32_t i = 0; i < b->count; i++) {
		int err = shares_bound(b->config, i) ? 0 : add_bound(b, i);

		if (err)
			return err;
		b->bounds[b->n_bounds - 1].end = i + 1;
	}
	return 0;
}

static void number_native(struct buckets *b)
{
	const struct bucket_config *c = b->config;
	int shift = exponent_of(b) * (1 << c->schema);

	b->native = true;
	b->schema = c->schema;
	b->first_index = (int32_t)c->min + shift;
	b->zero_threshold = c->min == 0 ? 0 : power_of_two((int64_t)b->first_index - 1, c->schema);
}

int buckets_init(struct buckets *b, const struct bucket_config *config)
{
	int err;

	*b = (struct buckets){.config = config};
	b->count = config->type == BUCKET_FIXED ? (uint32_t)config->keys.count
						: config->max - config->min + 1;
	b->multiplier = config->multiplier != 0 ? config->multiplier : 1;
	if (config->type == BUCKET_NATIVE)
		number_native(b);
	err = add_bounds(b);
	if (err)
		buckets_free(b);
	return err;
}

void buckets_free(struct buckets *b)
{
	free(b->bounds);
	*b = (struct buckets){0};
}

static uint32_t fixed_index(const struct bucket_config *c, uint64_t key)
{
	size_t low = 0, high = c->keys.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c->keys.items[middle] < key)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < c->keys.count && c->keys.items[low] == key)
		return (uint32_t)low;
	return key == c->keys.items[c->keys.count - 1] + 1 ? BUCKET_SUM : BUCKET_OUTSIDE;
}

double buckets_upper_bound(const struct buckets *b, uint32_t index)
{
	uint32_t key = b->config->min + index;

	if (b->config->type != BUCKET_NATIVE)
		return raw_bound(b->config, index) * b->multiplier;
	return key == 0 ? 0 : power_of_two((int64_t)key - 1, b->config->schema) * b->multiplier;
}

uint32_t buckets_index(const struct buckets *b, uint64_t key)
{
	const struct bucket_config *c = b->config;

	if (c->type == BUCKET_FIXED)
		return fixed_index(c, key);
	if (key >= c->min && key <= c->max)
		return (uint32_t)(key - c->min);
	return key == (uint64_t)c->max + 1 ? BUCKET_SUM : BUCKET_OUTSIDE;
}
