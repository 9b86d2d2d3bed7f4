/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The XDP pipeline with stages of the tests' alone: xdp.stages.h is made of theirs here. */
#include "../../../pipeline/xdp.bpf.c"
