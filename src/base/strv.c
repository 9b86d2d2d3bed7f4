// SPDX-License-Identifier: MIT
#include "base/strv.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"

void strv_free(struct strv *v)
{
	for (size_t i = 0; i < v->count; i++)
		free(v->items[i]);
	free(v->items);
	*v = (struct strv){0};
}

int strv_add(struct strv *v, const char *s, size_t len)
{
	char **items = reallocarray(v->items, v->count + 1, sizeof(*items));
	char *copy;

	if (!items)
		return -ENOMEM;
	v->items = items;
	copy = strndup(s, len);
	if (!copy)
		return -ENOMEM;
	items[v->count++] = copy;
	return 0;
}

int strv_add_split(struct strv *v, const char *text, char separator)
{
	while (*text) {
		const char *end = strchrnul(text, separator);
		const char *next = *end ? end + 1 : end;
		int err;

		while (text < end && *text == ' ')
			text++;
		while (end > text && end[-1] == ' ')
			end--;
		err = end > text ? strv_add(v, text, (size_t)(end - text)) : 0;
		if (err)
			return err;
		text = next;
	}
	return 0;
}

int strv_add_all(struct strv *v, const struct strv *from)
{
	for (size_t i = 0; i < from->count; i++) {
		int err = strv_add(v, from->items[i], strlen(from->items[i]));

		if (err)
			return err;
	}
	return 0;
}

bool strv_has(const struct strv *v, const char *s)
{
	for (size_t i = 0; i < v->count; i++) {
		if (STREQ(v->items[i], s))
			return true;
	}
	return false;
}

bool strv_choose(const struct strv *patterns,
		 bool (*matches)(const char *pattern, const void *what), const void *what)
{
	bool chosen = false, any_positive = false;

	for (size_t i = 0; i < patterns->count; i++) {
		const char *pattern = patterns->items[i];

		if (pattern[0] == '!') {
			if (matches(pattern + 1, what))
				return false;
			continue;
		}
		any_positive = true;
		chosen = chosen || matches(pattern, what);
	}
	return chosen || (!any_positive && patterns->count > 0);
}

static bool glob_matches(const char *pattern, const void *name)
{
	return fnmatch(pattern, name, 0) == 0;
}

bool strv_globs_match(const struct strv *patterns, const char *name)
{
	return strv_choose(patterns, glob_matches, name);
}
