/* SPDX-License-Identifier: MIT */
/* The one piece of JSON that is written without a library: a string (RFC 8259, section 7). */
#pragma once

#include "base/buf.h"

/* Appends @text in quotes, escaped; bytes that are not UTF-8 become U+FFFD. */
void json_add_string(struct buf *b, const char *text);
