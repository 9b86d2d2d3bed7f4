// SPDX-License-Identifier: MIT
#include "kernel/inode_names.h"

#include <stdlib.h>
#include <string.h>

#include "base/macro.h"

void inode_names_add(struct inode_names *l, uint64_t inode, char *text)
{
	struct inode_name *items =
		text ? reallocarray(l->items, l->count + 1, sizeof(*items)) : NULL;

	if (!items) {
		free(text);
		return;
	}
	l->items = items;
	items[l->count++] = (struct inode_name){inode, text};
}

const char *inode_names_find(const struct inode_names *l, uint64_t inode)
{
	for (size_t i = 0; i < l->count; i++) {
		if (l->items[i].inode == inode)
			return l->items[i].text;
	}
	return NULL;
}

static bool same(const struct inode_names *a, const struct inode_names *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++) {
		if (a->items[i].inode != b->items[i].inode ||
		    !STREQ(a->items[i].text, b->items[i].text))
			return false;
	}
	return a->count == b->count;
}

bool inode_names_renew(struct inode_names *l, struct inode_names *fresh)
{
	bool differed = !same(l, fresh);

	inode_names_free(l);
	*l = *fresh;
	*fresh = (struct inode_names){0};
	return differed;
}

void inode_names_free(struct inode_names *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->items[i].text);
	free(l->items);
	*l = (struct inode_names){0};
}
