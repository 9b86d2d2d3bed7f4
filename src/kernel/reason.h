/* SPDX-License-Identifier: MIT */
/* What it means that the kernel, or libbpf, refuses a program: more than an errno says. */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "kernel/libbpf_log.h"

/* -EMFILE or -ENOMEM where libbpf ran out of either, whatever it made of that; else 0. */
int reason_shortage(int code, struct libbpf_log *log);

/*
 * Appends to @b the meaning of @code and of what libbpf said, for a program whose SEC() is @section
 * ("" where it is not of one). False when nothing more is known than the errno.
 */
bool reason_add(struct buf *b, const char *section, int code, struct libbpf_log *log,
		enum exit_code *ret_exit);

/* Whether this kernel has no kprobes at all. */
bool reason_no_kprobes(void);

/* For an LSM program: false when the kernel would attach it and never run it, since "bpf" is not
 * among its LSMs; these into *ret, the caller's. True also when that cannot be known. */
bool reason_lsm_runs(char **ret);
