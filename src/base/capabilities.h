/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strv.h"

/* Sets of them are bits. */
#define CAPABILITY(value) (UINT64_C(1) << (value))

/* What the main thread of this process holds. */
struct capability_sets {
	uint64_t effective;
	uint64_t permitted;
	uint64_t inheritable;
	uint64_t bounding;
	uint64_t ambient;
	bool no_new_privileges;
};

/* A negative errno where /proc does not tell. */
int capabilities_read(struct capability_sets *ret);

enum { CAPABILITY_NAME_MAX = 32 };

/* "cap_bpf"; "cap_63" of one that has no name here. */
const char *capability_name(int capability, char name[static CAPABILITY_NAME_MAX]);

/*
 * The set that @names say ("cap_bpf", or "bpf"; "all": what this thread may have; "none"). -EPERM
 * with a sentence for one that this thread may not have.
 */
int capabilities_parse(const struct strv *names, uint64_t *ret, struct error *e);

/*
 * Gives up all capabilities of this thread but those of @keep that it may have, and has these in
 * effect. For the time before further threads are started, which inherit it.
 */
int capabilities_keep(uint64_t keep, struct error *e);

/* Whether @call gives back -EPERM when this thread has no capability in effect; afterwards it has
 * those that it had. */
bool capabilities_are_needed(int (*call)(void));

/* Gives up all capabilities of this thread: for one that needs none. */
void capabilities_drop(void);
