/* SPDX-License-Identifier: MIT */
/* The names that an enum of the running kernel has, from its BTF. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "kernel/kernel_btf.h"

struct enum_names; /* opaque */

/*
 * The enum @name of the BTF @k. -EINVAL when there is none of that name: @e names the nearest.
 * -ENOENT and others when there is no BTF.
 */
int enum_names_read(struct kernel_btf *k, const char *name, struct enum_names **ret,
		    struct error *e);
/*
 * The same of an enum that is in the kernel's module @module, NULL: of the kernel. The BTF of
 * modules is the running kernel's, so where @k is of a file, and where the module is a part of the
 * kernel, the enum is looked for in @k.
 */
int enum_names_read_module(struct kernel_btf *k, const char *module, const char *name,
			   struct enum_names **ret, struct error *e);
void enum_names_free(struct enum_names *e);

/*
 * The first name that @number has, which lives as long as @e; NULL where it has none. A negative
 * value may be given in 64 bits or in as many as the enum has.
 */
const char *enum_names_find(const struct enum_names *e, uint64_t number);
