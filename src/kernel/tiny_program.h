/* SPDX-License-Identifier: MIT */
/* Programs of a few instructions, to find out what the running kernel takes. */
#pragma once

#include <stdint.h>

struct tiny_program {
	uint32_t type;        /* enum bpf_prog_type */
	uint32_t attach_type; /* enum bpf_attach_type that it is loaded for; 0 */
	uint32_t btf_id;      /* of the place in the kernel's BTF; 0 */
	uint32_t flags;       /* BPF_F_… */
	int32_t result;       /* what it gives back, and all that it does */
};

/* Loads it: a descriptor, or a negative errno. */
int tiny_program_load(const struct tiny_program *p);

/* Whether a program of this kind may call @helper (BPF_FUNC_…) on this kernel: 1, or 0; a negative
 * errno where such a program cannot be loaded at all. */
int tiny_program_may_call(const struct tiny_program *p, uint32_t helper);
