/* SPDX-License-Identifier: MIT */
/* A list of strings that it owns. All zero is an empty one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct strv {
	char **items;
	size_t count;
};

void strv_free(struct strv *v);

/* Appends a copy of the @len bytes at @s; -ENOMEM, @v as before. */
int strv_add(struct strv *v, const char *s, size_t len);

/* Appends the parts of @text between @separator; blanks around a part and empty parts are left
 * out. */
int strv_add_split(struct strv *v, const char *text, char separator);

/* Appends copies of all of @from. */
int strv_add_all(struct strv *v, const struct strv *from);

bool strv_has(const struct strv *v, const char *s);

/*
 * Whether @what is chosen by @patterns: one of them @matches it, and none of those that begin with
 * '!', without which they are given. Only exclusions choose all the rest.
 */
bool strv_choose(const struct strv *patterns,
		 bool (*matches)(const char *pattern, const void *what), const void *what);

/* The same of a name, by shell patterns (fnmatch(3)). */
bool strv_globs_match(const struct strv *patterns, const char *name);

#define _cleanup_strv_ _cleanup_(strv_free)
