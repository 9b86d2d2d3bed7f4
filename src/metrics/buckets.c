// SPDX-License-Identifier: MIT
#include "metrics/buckets.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

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
	case BUCKET_LINEAR:
	case BUCKET_NONE:
		break;
	}
	return key;
}

double buckets_upper_bound(const struct buckets *b, uint32_t index)
{
	return raw_bound(b->config, index) * b->multiplier;
}

static int render_bound(const struct buckets *b, uint32_t index)
{
	_cleanup_buf_ struct buf text = {0};
	struct bucket_bound *le = &b->le[index];

	buf_add_double(&text, buckets_upper_bound(b, index));
	if (!buf_ok(&text))
		return -ENOMEM;
	le->len = (uint8_t)snprintf(le->text, sizeof(le->text), "le=\"%s\"} ", buf_str(&text));
	return 0;
}

int buckets_init(struct buckets *b, const struct bucket_config *config)
{
	*b = (struct buckets){.config = config};
	b->count = config->type == BUCKET_FIXED ? (uint32_t)config->keys.count
						: config->max - config->min + 1;
	b->multiplier = config->multiplier != 0 ? config->multiplier : 1;
	b->le = calloc(b->count, sizeof(*b->le));
	if (!b->le)
		return -ENOMEM;
	for (uint32_t i = 0; i < b->count; i++) {
		if (render_bound(b, i)) {
			buckets_free(b);
			return -ENOMEM;
		}
	}
	return 0;
}

void buckets_free(struct buckets *b)
{
	free(b->le);
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

uint32_t buckets_index(const struct buckets *b, uint64_t key)
{
	const struct bucket_config *c = b->config;

	if (c->type == BUCKET_FIXED)
		return fixed_index(c, key);
	if (key >= c->min && key <= c->max)
		return (uint32_t)(key - c->min);
	return key == (uint64_t)c->max + 1 ? BUCKET_SUM : BUCKET_OUTSIDE;
}
