/* SPDX-License-Identifier: MIT */
/*
 * Whether the running kernel takes a kind of program at a place, found out before an object is
 * loaded, as that fails as a whole: an empty program of the same kind is loaded for the same place.
 * What this cannot know (what a program's own code needs, kernel probes, tracepoints that are
 * attached by name) shows when it is loaded and attached.
 */
#pragma once

#include "base/error.h"
#include "kernel/kernel_btf.h"
#include "kernel/object.h"

struct offers; /* opaque; holds the kernel's BTF */

/* @btf must outlive it. -ENOMEM. */
int offers_new(struct kernel_btf *btf, struct offers **ret);
void offers_free(struct offers *o);

/* 0; or why @program cannot be had here, with EXIT_HOST_LACKS or EXIT_DENIED. */
int offers_check(struct offers *o, const struct program_info *program, struct error *e);
