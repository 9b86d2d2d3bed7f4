// SPDX-License-Identifier: MIT
#include "control/filters.h"

#include <string.h>

#define BY_COLUMN "where."

static bool is_filter(const struct operation *o, const struct argument *a)
{
	for (size_t i = 0; i < o->n_arguments; i++) {
		if (STREQ(a->name, o->arguments[i].name))
			return false;
	}
	return true;
}

static struct sheet_filter make_filter(const struct argument *a)
{
	size_t len = strlen(BY_COLUMN);
	bool column = strncmp(a->name, BY_COLUMN, len) == 0;

	return (struct sheet_filter){a->name + (column ? len : 0), column, a->value};
}

size_t filters_take(const struct operation_call *c, struct sheet_filter *to)
{
	const struct arguments *a = &c->arguments;
	size_t n = 0;

	for (size_t i = 0; i < a->count; i++) {
		if (is_filter(c->operation, &a->items[i]))
			to[n++] = make_filter(&a->items[i]);
	}
	return n;
}
