/* SPDX-License-Identifier: MIT */
/* Names of block devices, from /proc/partitions; read at the first question, not before. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct partitions; /* opaque */

int partitions_new(struct partitions **ret);
void partitions_free(struct partitions *p);

/*
 * Appends the name of the device to @out; false where there is none. Thread-safe. A device that
 * came later is found too: an unknown one reads the file again, once in 10 s at most.
 */
bool partitions_name(struct partitions *p, unsigned major, unsigned minor, struct buf *out);
