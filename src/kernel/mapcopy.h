/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "kernel/object.h"

struct mapcopy_counts {
	size_t copied;
	size_t lost; /* there was no room for them */
};

/*
 * Puts the entries of @from into @to, whose keys and values are as long, and which may have another
 * number of entries. -EOPNOTSUPP for maps whose entries cannot be read and written in this way;
 * what programs write to @from meanwhile may or may not be among them.
 */
int mapcopy(const struct map_info *from, const struct map_info *to, struct mapcopy_counts *ret,
	    struct error *e);
