/* SPDX-License-Identifier: MIT */
/* The code of a program once more, for a place that asks for other flags or another attach type. */
#pragma once

#include <bpf/libbpf.h>
#include <stdint.h>

/*
 * Loads the code of @p, which is loaded, with @flags (BPF_F_…) and for @attach_type; it uses the
 * same maps. @btf_fd: of its object. A descriptor, or a negative errno.
 */
int program_copy(const struct bpf_program *p, int btf_fd, uint32_t flags, uint32_t attach_type);
