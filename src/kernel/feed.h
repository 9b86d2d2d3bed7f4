/* SPDX-License-Identifier: MIT */
/*
 * Where the keys and values of a metric come from: a BPF map (kernel/mapread.h), or what somebody
 * gathered from events. Whoever implements it puts a struct feed first into a struct of their own
 * and fills in what does not change; the reader goes through the functions below.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct feed;

/*
 * What a read hands over: @count entries, keys feed->key_size apart, values feed->stride apart.
 * Give back 0, or a negative errno to end the read with it.
 */
typedef int (*feed_fn)(void *ctx, const uint8_t *keys, const uint8_t *values, size_t count);

struct feed_ops {
	/* All entries, each once, in batches into @fn. What @fn gives back comes back as it is. */
	int (*read)(struct feed *f, feed_fn fn, void *ctx, struct error *e);

	/* Removes an entry. Its values as they were at the end go to @ret_values, feed->stride
	 * bytes, unless that is NULL. -ENOENT: it was gone already; -EINVAL: entries of this kind
	 * cannot be removed. */
	int (*remove)(struct feed *f, const void *key, void *ret_values);

	void (*free)(struct feed *f);
};

struct feed {
	const struct feed_ops *ops;
	uint32_t key_size;
	size_t stride;           /* bytes from the values of one entry to those of the next */
	size_t values_per_entry; /* one for each possible CPU in a per-CPU map, else 1; each
				    begins stride / values_per_entry behind the last */
	bool is_tally;           /* not a map's values, but an 8-byte number for each of the
				    config's `values`; a histogram has no entry with its sum */
};

static inline int feed_read(struct feed *f, feed_fn fn, void *ctx, struct error *e)
{
	return f->ops->read(f, fn, ctx, e);
}

static inline int feed_remove(struct feed *f, const void *key, void *ret_values)
{
	return f->ops->remove(f, key, ret_values);
}

static inline void feed_free(struct feed *f)
{
	if (f)
		f->ops->free(f);
}
