/* SPDX-License-Identifier: MIT */
/* The kernel's helpers for programs (bpf-helpers(7)). */
#pragma once

#include "host/ability.h"

/* A helper that programs of one kind call. */
struct helper_use {
	uint32_t helper; /* BPF_FUNC_… */
	uint32_t type;   /* enum bpf_prog_type */
	uint32_t attach_type;
	struct strv users; /* modules */
};

/* Tries whether such a program may call it, and adds what came of it to @f. */
void helper_try(const struct ability_env *env, const struct helper_use *use, struct findings *f);
