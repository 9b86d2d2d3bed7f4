/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/strv.h"

/*
 * Give up all capabilities of this thread but those in @keep ("cap_bpf", or "bpf"); "all" keeps
 * what is there, "none" nothing. For the time before further threads are started, which inherit it.
 */
int capabilities_keep(const struct strv *keep, struct error *e);

/* Whether @call gives back -EPERM when this thread has no capability in effect; afterwards it has
 * those that it had. */
bool capabilities_are_needed(int (*call)(void));

/* Gives up all capabilities of this thread: for one that needs none. */
void capabilities_drop(void);
