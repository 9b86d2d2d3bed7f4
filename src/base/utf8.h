/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* U+FFFD, for what is no character. */
#define UTF8_REPLACEMENT "\xef\xbf\xbd"

/* The length in bytes of the UTF-8 sequence at @s (at most @len bytes there), 0 if it is not valid:
 * overlong forms, surrogates and code points over U+10FFFF are not (RFC 3629, section 4). */
size_t utf8_sequence(const char *s, size_t len);

/* Whether all of @s is valid UTF-8. */
bool utf8_is_valid(const char *s, size_t len);

/* Appends @s to @b, each byte that is not part of valid UTF-8 replaced by U+FFFD. */
void utf8_add_valid(struct buf *b, const char *s, size_t len);

/* How many characters the valid UTF-8 text @s has: its columns on a terminal, for the scripts used
 * here. */
size_t utf8_length(const char *s);
