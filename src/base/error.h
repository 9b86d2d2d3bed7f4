/* SPDX-License-Identifier: MIT */
/*
 * An error that a person reads: what was tried, what came back, what to do.
 *
 * Functions return a negative errno; those that know more than a number can say also take a
 * struct error and fill it when, and only when, they fail. They do not log: the caller decides.
 */
#pragma once

#include <errno.h>

#include "base/macro.h"

/* Exit codes of every subcommand. */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,      /* wrong usage or configuration */
	EXIT_HOST_LACKS = 3, /* the kernel or host lacks something */
	EXIT_DENIED = 4,     /* no permission */
};

struct error {
	int code;            /* negative errno */
	enum exit_code exit; /* what the process ends with if this ends it */
	char text[2048];     /* the sentence, without a final newline; cut at the end if too long */
	char hint[512];      /* what to do, where the sentence does not say it itself; "" */
};

/* strerror(3) of a negative errno, and what to do about it where that is the same everywhere. */
const char *error_words(int code);

/*
 * Fill @e (may be NULL) with the sentence and give @code back, for "return error_set(...)".
 * @exit follows from @code: EPERM and EACCES mean EXIT_DENIED; EOPNOTSUPP, ENOSYS and
 * EPROTONOSUPPORT mean EXIT_HOST_LACKS; all else EXIT_FAILED.
 */
int error_set(struct error *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The same with -EINVAL and EXIT_USAGE: the person gave something that cannot be right. */
int error_set_usage(struct error *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The same with EXIT_HOST_LACKS whatever @code is. */
int error_set_lacks(struct error *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Say what to do about @e (may be NULL), which is filled; gives e's code back. */
int error_hint(struct error *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * Static analysis sees one file at a time and would follow paths on which an error is none; these
 * say to it alone what the functions give back. (Their definitions are in parentheses for its
 * sake.)
 */
#ifdef __clang_analyzer__
#define error_set(e, code, ...) ((error_set)(e, code, __VA_ARGS__), (code) ? (code) : -1)
#define error_set_usage(e, ...) ((error_set_usage)(e, __VA_ARGS__), -EINVAL)
#define error_set_lacks(e, code, ...)                                                              \
	((error_set_lacks)(e, code, __VA_ARGS__), (code) ? (code) : -1)
#endif

/* Put "prefix: " in front of the sentence of @e (may be NULL); gives e's code back. */
int error_prefix(struct error *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
