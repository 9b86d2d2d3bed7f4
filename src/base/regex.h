/* SPDX-License-Identifier: MIT */
/*
 * Regular expressions by PCRE2, with what people know from RE2: '$' is the end of the text alone,
 * (?P<name>…) names a group, and no pattern takes more than a bounded time over a text.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"

struct regex; /* opaque; for one thread at a time */

/* A part of the text that was matched. */
struct regex_span {
	size_t at;
	size_t len;
};

/*
 * Compiles @pattern, which is UTF-8. -EINVAL when it is wrong: @e says why, and *ret_at is the byte
 * of the pattern where that shows. -ENOMEM without memory.
 */
int regex_compile(const char *pattern, struct regex **ret, size_t *ret_at, struct error *e);
void regex_free(struct regex *r);

/* How many capturing groups the pattern has. */
unsigned regex_groups(const struct regex *r);

/*
 * Looks for the pattern anywhere in @text, which may be any bytes: 1 with the place of @group (0:
 * of all that matched) in *ret, 0 when it does not match. -ELOOP when the pattern needs more steps
 * than are allowed: whether it matches is not known then.
 */
int regex_match(struct regex *r, const char *text, size_t len, unsigned group,
		struct regex_span *ret);
