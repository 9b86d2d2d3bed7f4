/* SPDX-License-Identifier: MIT */
/*
 * What is wrong with a configuration, told to the person who wrote it:
 *
 *	timers.yaml:5:11: error: unknown key 'tpye' in a label, did you mean 'type'?
 *	          tpye: foo
 *	          ^~~~
 *
 * Every room that finds something wrong with a config (the parser here, a decoder with its
 * parameters, the engine with sizes and maps) reports it through this, at the place that the parsed
 * config carries.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Where in the file, both from 1; line 0 = no place in it (the file as a whole). Columns count
 * characters, not bytes. `width` is how many characters the caret line marks, at least 1. */
struct place {
	uint32_t line;
	uint32_t column;
	uint32_t width;
};

/* The text that places refer to. */
struct source {
	char *name; /* as the person named it: a path, or modules/<name>.yaml for a built-in one */
	char *text;
	size_t len;
	uint64_t meaning[2]; /* of what it says, once bound: comments and layout do not count */
};

/* A hopeless file (the wrong one, most likely) must not flood the terminal. */
enum { REPORT_MOST_SHOWN = 100 };

struct report {
	struct buf
		text; /* the messages, each ending in a newline; no more than REPORT_MOST_SHOWN */
	struct buf first; /* the first error, "name:line:column: …", in one line */
	unsigned errors;
	unsigned warnings;
	bool lenient; /* report_lenient() warns instead of failing */
};

void source_free(struct source *s);
void report_free(struct report *r);

/*
 * The place of byte @offset of @text, which the file has at @at, in quotes or not. Where the file
 * writes it otherwise (escapes, several lines), @at itself.
 */
struct place source_place_within(const struct source *s, struct place at, const char *text,
				 size_t offset);

/* Appends "name:line:column: error: …", the line and the caret, and counts it: -EINVAL. */
int report_error(struct report *r, const struct source *s, struct place at, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

#ifdef __clang_analyzer__ /* see base/error.h */
#define report_error(...) ((report_error)(__VA_ARGS__), -EINVAL)
#endif

/* The same as a warning; gives back 0. */
int report_warning(struct report *r, const struct source *s, struct place at, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

/* An error, or a warning when r->lenient (--config.lenient): -EINVAL or 0. */
int report_lenient(struct report *r, const struct source *s, struct place at, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

#define _cleanup_report_ _cleanup_(report_free)
