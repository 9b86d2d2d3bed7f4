/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/error.h"
#include "base/strv.h"

/*
 * Give up all capabilities of this thread but those in @keep ("cap_bpf", or "bpf"); "all" keeps
 * what is there, "none" nothing. For the time before further threads are started, which inherit it.
 */
int capabilities_keep(const struct strv *keep, struct error *e);

/* Gives up all capabilities of this thread: for one that needs none. */
void capabilities_drop(void);
