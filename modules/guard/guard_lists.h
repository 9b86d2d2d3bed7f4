/* SPDX-License-Identifier: MIT */
/*
 * Lists of networks out of the configuration and of files: read, put in order, and made one set of
 * which no network is there twice. What becomes of it in the kernel: guard_set.h.
 *
 *	guard_list_add, guard_list_read_file … → guard_list_settle → guard_set_build
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "guard_prefix.h"

/* The largest file that is read: 1,000,000 networks take some 20 MB. */
#define GUARD_LIST_FILE_MAX ((size_t)512 << 20)

/*
 * Who put a network into a list: a set, of which the kernel's guard_entry.origin is one. It is kept
 * in guard_entry.id, so that what was declared and what was commanded never hide each other.
 */
enum guard_by {
	GUARD_BY_DECLARED = 1 << 0,
	GUARD_BY_RUNTIME = 1 << 1,
	GUARD_BY_AUTOMATIC = 1 << 2,
	GUARD_BY_PROTECTION = 1 << 3, /* allowed, as long as it is to be protected */
	GUARD_BY_FORCE = 1 << 4,      /* commanded against the protection, which then ends */
};

/* GUARD_ALLOW_LIST: "allow", GUARD_BLOCK_LIST: "block" */
const char *guard_list_name(int list);

/* A network, and in which lists it is: of each a set of enum guard_by, 0: not in that one. */
struct guard_item {
	struct guard_prefix prefix;
	uint8_t by[GUARD_LISTS];
};

/* The same as the maps have it, and back. guard_entry.id has these sets, and the network's length,
 * which a trie does not tell of what it finds. */
struct guard_entry guard_item_entry(const struct guard_item *item);
uint32_t guard_entry_length(const struct guard_entry *entry);
void guard_item_of_entry(const struct guard_entry *entry, uint8_t by[GUARD_LISTS]);

struct guard_items {
	struct guard_item *items;
	size_t count;
	size_t cap;
};

void guard_list_free(struct guard_items *l);
#define _cleanup_guard_items_ _cleanup_(guard_list_free)

/* -ENOMEM. */
int guard_list_add(struct guard_items *l, const struct guard_prefix *p, int list, uint8_t by);

/* What was no network in a list; the first few as lines "FILE:LINE: …". All zero is none. */
struct guard_mistakes {
	struct buf lines;
	size_t count;
};

/*
 * Appends the networks of @path: one a line, blanks around it and what is behind '#' or ';' left
 * out. A line that is none is left out and noted in @mistakes. An error is a file that cannot be
 * read, or no memory.
 */
int guard_list_read_file(struct guard_items *l, const char *path, int list,
			 struct guard_mistakes *mistakes, struct error *e);

/* The same of what was in @path: @text, which is changed. */
int guard_list_read_text(struct guard_items *l, struct buf *text, const char *path, int list,
			 struct guard_mistakes *mistakes, struct error *e);

/* Puts them in order, by address, and makes one of those of the same network. */
void guard_list_settle(struct guard_items *l);

/* A list that is settled: the item of @p, or NULL. */
struct guard_item *guard_list_find(const struct guard_items *l, const struct guard_prefix *p);
