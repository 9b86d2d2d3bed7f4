/* SPDX-License-Identifier: MIT */
/*
 * What libbpf says, which it says to one function of the whole process: to the log at debug level,
 * and into the error of the operation under way in the thread that it is said in.
 */
#pragma once

#include "base/buf.h"

struct libbpf_log {
	struct buf text; /* warnings, the verifier's log among them */
	struct libbpf_log *outer;
};

void libbpf_log_setup(void);

/* Keeps what this thread's calls make libbpf warn of, until libbpf_log_end(). */
void libbpf_log_begin(struct libbpf_log *log);
void libbpf_log_end(struct libbpf_log *log);

/* True when @text is in what was kept. */
bool libbpf_log_has(struct libbpf_log *log, const char *text);

/* The program that is named last in what was kept ("prog 'x': …"), into @ret; false for none. */
bool libbpf_log_last_program(struct libbpf_log *log, char *ret, size_t size);

/* The last lines of what was kept, without libbpf's name and what only repeats that something
 * failed, as text into @ret; "" when there was nothing. */
void libbpf_log_tail(struct libbpf_log *log, char *ret, size_t size);

#define _cleanup_libbpf_log_ _cleanup_(libbpf_log_end)
