/* SPDX-License-Identifier: MIT */
/*
 * The lists in the kernel. A whole new set is built in maps of its own, put into the slot that is
 * not in use, and taken by one store (guard.h): no packet sees half of it. Single networks are
 * changed in place.
 */
#pragma once

#include "base/error.h"
#include "guard.h"
#include "guard_books.h"
#include "guard_lists.h"
#include "kernel/object.h"

/* The maps of one slot; descriptors of -1: none of ours are there. */
struct guard_slot {
	struct map_info tries[GUARD_LISTS];
	struct map_info exact;
	size_t counts[GUARD_LISTS];                /* networks in the tries */
	size_t n_exact_in[GUARD_LISTS];            /* addresses, of which one may be in both */
	size_t by[GUARD_LISTS][GUARD_ENTRY_KINDS]; /* of all lengths, by who put them there */
};

struct guard_set {
	const struct unit *unit;         /* whose maps they are; NULL: a test's */
	struct guard_settings *settings; /* the kernel's, mapped */
	struct map_info outer_tries;     /* guard_prefixes */
	struct map_info outer_exact;     /* guard_exact */
	struct map_info empty_trie;      /* what stands in a slot that is not used */
	struct map_info empty_exact;
	struct guard_slot slot; /* in use */
};

/* The maps of @o, which @u has loaded; what is in them already is found by guard_set_adopt(). */
int guard_set_open(struct guard_set *s, const struct unit *u, const struct object *o,
		   struct guard_settings *settings, struct error *e);
void guard_set_close(struct guard_set *s);

/* So that the next daemon can open the slot in use, once the unit is pinned. A slot that is made
 * later is kept by itself. */
void guard_set_keep(const struct guard_set *s);

/* Takes up the slot that an earlier daemon left in use. */
int guard_set_adopt(struct guard_set *s, struct error *e);

/* Makes the networks of @items, which are settled, all that there is. When it fails, all is as it
 * was. */
int guard_set_build(struct guard_set *s, const struct guard_items *items, struct error *e);

/* Appends every network that is in a list to @ret, which is then settled. None before a set was
 * built or adopted. */
int guard_set_read(const struct guard_set *s, struct guard_items *ret, struct error *e);

/* Who has @p, as it stands there, in which list: all 0 where none has. */
int guard_set_get(const struct guard_set *s, const struct guard_prefix *p, struct guard_item *ret);

/* Makes it so, and what packets get from now on. With all 0 it is removed. */
int guard_set_put(struct guard_set *s, const struct guard_item *item, struct error *e);

/* By whom the longest network of the block list is that @address is in; 0 where it is in none. */
uint8_t guard_set_blocked_by(const struct guard_set *s, const struct guard_prefix *address);

/* How many networks the list has, of all lengths. */
size_t guard_set_count(const struct guard_set *s, int list);

/* What sources are remembered by is asked for again: to be called after any change of bans or
 * limits. Lists do that themselves. */
void guard_settings_renew(struct guard_settings *settings);

/* Sets @flag, an enum guard_flags, or clears it. */
void guard_settings_set_flag(struct guard_settings *settings, uint32_t flag, bool on);

/* User space is alive. */
void guard_settings_beat(struct guard_settings *settings);

/* Notes that @p is in a list, ban or limit: see GUARD_LONG_IPV6. */
void guard_settings_note_length(struct guard_settings *settings, const struct guard_prefix *p);
