/* SPDX-License-Identifier: MIT */
/* bpf/xdp_entry.bpf.c, as the build has compiled it: an ELF object. */
#pragma once

#include <stddef.h>

extern const unsigned char xdp_entry_object[];
extern const size_t xdp_entry_object_size;

#define XDP_ENTRY_PROGRAM "wiregauge_entry"
#define XDP_ENTRY_MAP     "wiregauge_next"
