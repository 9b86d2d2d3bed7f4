/* SPDX-License-Identifier: MIT */
/* What an operation is asked with: the query of its path, name=value&name=value. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum { ARGUMENTS_MAX = 64 };

struct argument {
	const char *name, *value;
};

struct arguments {
	char *text; /* what they point into */
	struct argument items[ARGUMENTS_MAX];
	size_t count;
};

/* @query may be NULL. -EINVAL with a sentence, or -ENOMEM; arguments_free() in any case. */
int arguments_parse(const char *query, struct arguments *ret, struct error *e);
void arguments_free(struct arguments *a);

/* The same of a request: of its @query, which may be NULL, and behind it of the @len bytes of its
 * @body, which have the same form. */
int arguments_parse_request(const char *query, const void *body, size_t len, struct arguments *ret,
			    struct error *e);

/* The value of the last @name, or NULL. */
const char *arguments_find(const struct arguments *a, const char *name);

/* Appends @name=@value to a path, behind ? or &; nothing when @value is NULL. */
void argument_add(struct buf *path, const char *name, const char *value);
