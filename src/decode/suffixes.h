/* SPDX-License-Identifier: MIT */
/*
 * The Public Suffix List: under which names anyone may register one (com, co.uk, github.io), read
 * at the first question.
 */
#pragma once

#include <stddef.h>

struct suffixes; /* opaque */

/* The list in the file @path, or for NULL the newer one of the host's and libpsl's own. */
int suffixes_new(const char *path, struct suffixes **ret);
void suffixes_free(struct suffixes *s);

/*
 * Where in @name the domain begins that somebody has registered, one label more than the longest
 * suffix: at 4 in www.example.co.uk. 0 where @name is itself a suffix. In lower case, without a dot
 * at either end; also of what is no name the answer lies in it. Where there is no list, each last
 * label is taken for a suffix.
 */
size_t suffixes_registrable(struct suffixes *s, const char *name);
