// SPDX-License-Identifier: MIT
#include "base/utf8.h"

#include <stdbool.h>
#include <stdint.h>

static bool is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* The second byte's range excludes overlong forms, surrogates and what is over U+10FFFF. */
static bool second_fits(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xe0:
		return second >= 0xa0;
	case 0xed:
		return second <= 0x9f;
	case 0xf0:
		return second >= 0x90;
	case 0xf4:
		return second <= 0x8f;
	default:
		return true;
	}
}

size_t utf8_sequence(const char *s, size_t len)
{
	const unsigned char *c = (const unsigned char *)s;
	size_t n;

	if (len == 0)
		return 0;
	if (c[0] < 0x80)
		return 1;
	if (c[0] >= 0xc2 && c[0] <= 0xdf)
		n = 2;
	else if (c[0] >= 0xe0 && c[0] <= 0xef)
		n = 3;
	else if (c[0] >= 0xf0 && c[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (n > len || !second_fits(c[0], c[1]))
		return 0;
	for (size_t i = 1; i < n; i++) {
		if (!is_tail(c[i]))
			return 0;
	}
	return n;
}

bool utf8_is_valid(const char *s, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_sequence(s + i, len - i);
		if (n == 0)
			return false;
	}
	return true;
}

void utf8_add_valid(struct buf *b, const char *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = utf8_sequence(s + i, len - i);

		if (n) {
			buf_add(b, s + i, n);
			i += n;
		} else {
			buf_add_str(b, UTF8_REPLACEMENT);
			i++;
		}
	}
}

size_t utf8_length(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += !is_tail((unsigned char)*s);
	return n;
}
