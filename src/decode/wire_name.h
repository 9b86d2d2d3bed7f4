/* SPDX-License-Identifier: MIT */
/* DNS names as they are on the wire, in a key: RFC 1035, 3.1. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Appends the bytes of a label as a decoder writes them. */
typedef void (*wire_label_fn)(struct buf *out, const uint8_t *label, size_t len);

/*
 * Appends the labels of the name that begins at @in to @out, which is empty, each by @add_label and
 * with dots between them; nothing for the root alone. What is malformed, a pointer among it, is
 * appended as if it was one label. True when the name ends at the root, and not where @in does.
 */
bool wire_name_add(struct buf *out, const void *in, size_t len, wire_label_fn add_label);
