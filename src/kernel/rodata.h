/* SPDX-License-Identifier: MIT */
/* The `const volatile` variables of an object: where BTF says that they are, and what fits there.
 */
#pragma once

#include <bpf/libbpf.h>
#include <stdint.h>

#include "base/error.h"

/* -ENOENT, -ERANGE, or -EINVAL for a variable of another kind; the object must not be loaded. */
int rodata_set_uint(struct bpf_object *o, const char *variable, uint64_t value, struct error *e);
int rodata_set_string(struct bpf_object *o, const char *variable, const char *value,
		      struct error *e);

/* The first @count elements of an array of integers; those behind them become 0. -ERANGE also for
 * more than it has. */
int rodata_set_uints(struct bpf_object *o, const char *variable, const uint64_t *values,
		     size_t count, struct error *e);
