/* SPDX-License-Identifier: MIT */
/* The names that an enum of the running kernel has, from its BTF. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct enum_names; /* opaque */

/*
 * The enum @name of the BTF at @path (NULL: the running kernel's). -EINVAL when there is none of
 * that name: @e names the nearest. -ENOENT and others when there is no BTF.
 */
int enum_names_read(const char *path, const char *name, struct enum_names **ret, struct error *e);
/*
 * The same of an enum that is in the kernel's module @module. Its BTF is the running kernel's, so
 * with @path, and where the module is a part of the kernel, the enum is looked for there.
 */
int enum_names_read_module(const char *path, const char *module, const char *name,
			   struct enum_names **ret, struct error *e);
void enum_names_free(struct enum_names *e);

/*
 * The first name that @number has, which lives as long as @e; NULL where it has none. A negative
 * value may be given in 64 bits or in as many as the enum has.
 */
const char *enum_names_find(const struct enum_names *e, uint64_t number);
