/* SPDX-License-Identifier: MIT */
/*
 * A growing run of bytes. Growth doubles; large ones are moved by mremap(2) inside realloc(3), so
 * nothing is copied. Once grown it stays, so that a buffer that is emptied and filled again at
 * each scrape allocates nothing.
 *
 * Running out of memory is remembered in `failed` instead of being checked at every append: what
 * is appended after that is dropped, and the one who uses the result asks buf_ok() once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/macro.h"

struct buf {
	char *data; /* not NUL-terminated unless buf_str() was called last */
	size_t len;
	size_t cap;
	bool failed;
};

static inline bool buf_ok(const struct buf *b)
{
	return !b->failed;
}

/* Frees what it holds; it can be used again. */
void buf_free(struct buf *b);

/* Empties it and keeps the memory. */
static inline void buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

/* Makes room for @more bytes behind what is there; false, and `failed`, without memory. */
bool buf_grow(struct buf *b, size_t more);

static inline bool buf_reserve(struct buf *b, size_t more)
{
	return (!b->failed && b->cap - b->len >= more) || buf_grow(b, more);
}

static inline void buf_add(struct buf *b, const void *data, size_t len)
{
	if (len == 0 || !buf_reserve(b, len))
		return;
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

static inline void buf_add_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_add_str(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define BUF_U64_DIGITS 20

/* Writes @n in decimal, without leading zeros, at @to, which has room for BUF_U64_DIGITS; gives
 * back the end. */
char *buf_put_u64(char *to, uint64_t n);
void buf_add_u64(struct buf *b, uint64_t n);

/*
 * The shortest text that reads back as the same double, spelled as Go's strconv 'g' does (and so as
 * Prometheus's own clients do): 0.5, 1024, 1.048576e+06, 1e-06, +Inf, -Inf, NaN.
 */
void buf_add_double(struct buf *b, double d);

/* The content as a C string that lives as long as @b is not changed; "" without memory. */
const char *buf_str(struct buf *b);

#define _cleanup_buf_ _cleanup_(buf_free)
