// SPDX-License-Identifier: MIT
#include "host/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void release(struct finding *f)
{
	free(f->id);
	free(f->family);
	free(f->name);
	free(f->text);
	free(f->advice);
	strv_free(&f->users);
	free(f);
}

void findings_free(struct findings *f)
{
	for (size_t i = 0; i < f->count; i++)
		release(f->items[i]);
	free(f->items);
	*f = (struct findings){0};
}

/* Where what finds no memory goes. */
static struct finding *nowhere(struct findings *f)
{
	static struct finding none;

	f->failed = true;
	return &none;
}

struct finding *findings_add(struct findings *f, enum finding_group group, const char *id,
			     const char *name)
{
	struct finding **items = reallocarray(f->items, f->count + 1, sizeof(struct finding *));
	struct finding *added;

	if (!items)
		return nowhere(f);
	f->items = items;
	added = calloc(1, sizeof(*added));
	if (!added)
		return nowhere(f);
	added->group = group;
	added->id = strdup(id);
	added->name = strdup(name);
	added->text = strdup("");
	if (!added->id || !added->name || !added->text) {
		release(added);
		return nowhere(f);
	}
	items[f->count++] = added;
	return added;
}

/* The text that was there stays where there is no memory for a new one. */
PRINTF_LIKE(2, 0)
static void replace(char **text, const char *fmt, va_list args)
{
	char *made;

	if (vasprintf(&made, fmt, args) < 0)
		return;
	free(*text);
	*text = made;
}

void finding_set(struct finding *f, enum finding_state state, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	f->state = state;
	replace(&f->text, fmt, args);
	va_end(args);
}

void finding_advise(struct finding *f, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	replace(&f->advice, fmt, args);
	va_end(args);
}

void finding_set_family(struct finding *f, const char *family)
{
	free(f->family);
	f->family = strdup(family);
}

static bool comes_before(const struct finding *a, const struct finding *b)
{
	return a->group != b->group ? a->group < b->group : a->rank < b->rank;
}

/* There are few, and qsort() would not keep the order of those that are alike. */
void findings_sort(struct findings *f)
{
	for (size_t i = 1; i < f->count; i++) {
		struct finding *moved = f->items[i];
		size_t at = i;

		for (; at > 0 && comes_before(moved, f->items[at - 1]); at--)
			f->items[at] = f->items[at - 1];
		f->items[at] = moved;
	}
}

const char *finding_group_name(enum finding_group group)
{
	static const char *const names[FINDING_GROUPS] = {
		[FINDING_KERNEL] = "kernel",
		[FINDING_PRIVILEGES] = "privileges",
		[FINDING_FILE_SYSTEMS] = "file systems",
		[FINDING_NETWORKING] = "networking",
		[FINDING_INTERFACES] = "interfaces",
		[FINDING_MODULES] = "modules",
	};

	return names[group];
}

const char *finding_state_name(enum finding_state state)
{
	static const char *const names[FINDING_STATES] = {
		[FINDING_OK] = "ok",
		[FINDING_DEGRADED] = "degraded",
		[FINDING_MISSING] = "missing",
		[FINDING_UNTRIED] = "not tried",
	};

	return names[state];
}
