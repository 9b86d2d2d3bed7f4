// SPDX-License-Identifier: MIT
#include "guard_lists.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/macro.h"
#include "base/utf8.h"

enum {
	FIRST_ITEMS = 64,
	MISTAKES_SHOWN = 10,
	WORD_SHOWN = 60, /* bytes of a line that is no network */
	BLOCK_SHIFT = 8, /* in guard_entry.id */
	LENGTH_SHIFT = 16,
};

const char *guard_list_name(int list)
{
	return list == GUARD_ALLOW_LIST ? "allow" : "block";
}

void guard_list_free(struct guard_items *l)
{
	free(l->items);
	*l = (struct guard_items){0};
}

static int make_room(struct guard_items *l)
{
	size_t cap = l->cap ? 2 * l->cap : FIRST_ITEMS;
	void *p;

	if (l->count < l->cap)
		return 0;
	p = reallocarray(l->items, cap, sizeof(*l->items));
	if (!p)
		return -ENOMEM;
	l->items = p;
	l->cap = cap;
	return 0;
}

int guard_list_add(struct guard_items *l, const struct guard_prefix *p, int list, uint8_t by)
{
	int err = make_room(l);

	if (err)
		return err;
	l->items[l->count] = (struct guard_item){.prefix = *p};
	l->items[l->count++].by[list] = by;
	return 0;
}

/* ---- files ---- */

static void note_mistake(struct guard_mistakes *m, const char *path, size_t line, const char *word)
{
	char shown[WORD_SHOWN + 1];

	if (m->count++ >= MISTAKES_SHOWN)
		return;
	snprintf(shown, sizeof(shown), "%s", word);
	buf_printf(&m->lines, "%s:%zu: '", path, line);
	utf8_add_valid(&m->lines, shown, strlen(shown));
	buf_printf(&m->lines, "' is not " NETWORK_TAKES "\n");
}

/* @line without comment and blanks; "" where nothing is left. */
static char *strip(char *line)
{
	size_t len;

	line[strcspn(line, "#;\r")] = '\0';
	while (isspace((unsigned char)*line))
		line++;
	for (len = strlen(line); len && isspace((unsigned char)line[len - 1]); len--)
		line[len - 1] = '\0';
	return line;
}

int guard_list_read_text(struct guard_items *l, struct buf *text, const char *path, int list,
			 struct guard_mistakes *mistakes, struct error *e)
{
	char *next;
	int err = 0;

	(void)buf_str(text); /* it ends with a NUL now */
	next = text->data;
	/* Another one would end it early, and what is behind would be left out unseen. */
	for (size_t i = 0; next && i < text->len; i++)
		text->data[i] = text->data[i] ? text->data[i] : '?';
	for (size_t number = 1; !err && next; number++) {
		char *word = strip(strsep(&next, "\n"));
		struct guard_prefix p;

		if (!*word)
			continue;
		if (!guard_prefix_parse(word, &p))
			note_mistake(mistakes, path, number, word);
		else if (guard_list_add(l, &p, list, GUARD_BY_DECLARED))
			err = error_set(e, -ENOMEM, "no memory for the networks of '%s'", path);
	}
	return err;
}

int guard_list_read_file(struct guard_items *l, const char *path, int list,
			 struct guard_mistakes *mistakes, struct error *e)
{
	_cleanup_buf_ struct buf text = {0};
	int err = file_read_into(path, GUARD_LIST_FILE_MAX, &text, e);

	return err ? err : guard_list_read_text(l, &text, path, list, mistakes, e);
}

/* ---- as the maps have it ---- */

static const struct {
	uint8_t by;
	uint8_t origin;
} origins[] = {
	/* who is named where there are several: the strongest first */
	{GUARD_BY_PROTECTION, GUARD_PROTECTED},
	{GUARD_BY_RUNTIME, GUARD_RUNTIME},
	{GUARD_BY_DECLARED, GUARD_DECLARED},
	{GUARD_BY_AUTOMATIC, GUARD_AUTOMATIC},
};

struct guard_entry guard_item_entry(const struct guard_item *item)
{
	uint8_t allow = item->by[GUARD_ALLOW_LIST], block = item->by[GUARD_BLOCK_LIST];
	struct guard_entry entry = {.id = allow | (uint32_t)block << BLOCK_SHIFT |
					  item->prefix.prefixlen << LENGTH_SHIFT};
	uint8_t by = allow ? allow : block;

	if (allow)
		entry.flags |= GUARD_ENTRY_ALLOW;
	if (block)
		entry.flags |= GUARD_ENTRY_BLOCK;
	for (size_t i = 0; !entry.origin && i < ARRAY_SIZE(origins); i++)
		entry.origin = by & origins[i].by ? origins[i].origin : 0;
	return entry;
}

void guard_item_of_entry(const struct guard_entry *entry, uint8_t by[GUARD_LISTS])
{
	by[GUARD_ALLOW_LIST] = (uint8_t)entry->id;
	by[GUARD_BLOCK_LIST] = (uint8_t)(entry->id >> BLOCK_SHIFT);
}

uint32_t guard_entry_length(const struct guard_entry *entry)
{
	return entry->id >> LENGTH_SHIFT;
}

/* ---- order ---- */

static int compare(const void *a, const void *b)
{
	const struct guard_item *x = a, *y = b;
	int order = memcmp(x->prefix.address, y->prefix.address, sizeof(x->prefix.address));

	return order ? order : (int)x->prefix.prefixlen - (int)y->prefix.prefixlen;
}

static void merge(struct guard_item *into, const struct guard_item *from)
{
	for (size_t i = 0; i < GUARD_LISTS; i++)
		into->by[i] |= from->by[i];
}

void guard_list_settle(struct guard_items *l)
{
	size_t kept = 0;

	if (l->count)
		qsort(l->items, l->count, sizeof(*l->items), compare);
	for (size_t i = 0; i < l->count; i++) {
		if (kept && compare(&l->items[kept - 1], &l->items[i]) == 0)
			merge(&l->items[kept - 1], &l->items[i]);
		else
			l->items[kept++] = l->items[i];
	}
	l->count = kept;
}

struct guard_item *guard_list_find(const struct guard_items *l, const struct guard_prefix *p)
{
	const struct guard_item key = {.prefix = *p};

	return l->count ? bsearch(&key, l->items, l->count, sizeof(*l->items), compare) : NULL;
}
