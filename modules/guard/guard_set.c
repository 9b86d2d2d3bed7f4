// SPDX-License-Identifier: MIT
#include "guard_set.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "engine/inner_maps.h"
#include "guard_map.h"
#include "kernel/mapwrite.h"

enum {
	CHUNK = 4096,         /* entries that are written at once */
	ROOM_TRIE = 1 << 20,  /* for what comes later: costs nothing in a trie */
	ROOM_EXACT = 1 << 12, /* and in a hash 16 bytes each */
	NO_GENERATION = 0,
};

/* ---- settings ---- */

static void store_lists(struct guard_settings *settings, uint32_t slot)
{
	struct guard_settings next = {.generation = settings->generation + 1, .lists_slot = slot};

	if (next.generation == NO_GENERATION)
		next.generation++;
	__atomic_store_n(&settings->lists, next.lists, __ATOMIC_RELEASE);
}

void guard_settings_renew(struct guard_settings *settings)
{
	store_lists(settings, settings->lists_slot);
}

void guard_settings_set_flag(struct guard_settings *settings, uint32_t flag, bool on)
{
	uint32_t flags = on ? settings->flags | flag : settings->flags & ~flag;

	__atomic_store_n(&settings->flags, flags, __ATOMIC_RELEASE);
}

void guard_settings_note_length(struct guard_settings *settings, const struct guard_prefix *p)
{
	if (!guard_prefix_is_ipv4(p) && p->prefixlen > settings->source_prefix)
		guard_settings_set_flag(settings, GUARD_LONG_IPV6, true);
}

void guard_settings_beat(struct guard_settings *settings)
{
	__atomic_store_n(&settings->heartbeat_ns, clock_monotonic_ns(), __ATOMIC_RELAXED);
}

/* ---- open and close ---- */

static void slot_close(struct guard_slot *slot)
{
	for (size_t i = 0; i < GUARD_LISTS; i++)
		slot->tries[i].fd = fd_close(slot->tries[i].fd);
	slot->exact.fd = fd_close(slot->exact.fd);
}

static const struct guard_slot no_slot = {.tries = {{.fd = -1}, {.fd = -1}}, .exact = {.fd = -1}};

int guard_set_open(struct guard_set *s, const struct unit *u, const struct object *o,
		   struct guard_settings *settings, struct error *e)
{
	s->unit = u;
	s->slot = no_slot;
	s->settings = settings;
	if (object_find_map(o, "guard_prefixes", &s->outer_tries) ||
	    object_find_map(o, "guard_exact", &s->outer_exact) ||
	    object_find_map(o, "guard_no_prefixes", &s->empty_trie) ||
	    object_find_map(o, "guard_no_addresses", &s->empty_exact))
		return error_set(e, -ENOENT, "the object has not the maps of guard.h");
	return 0;
}

void guard_set_close(struct guard_set *s)
{
	slot_close(&s->slot);
}

static uint32_t trie_index(uint32_t slot, size_t list)
{
	return slot * GUARD_LISTS + (uint32_t)list;
}

static bool is_exact(const struct guard_item *item)
{
	return item->prefix.prefixlen == GUARD_ADDRESS_BITS;
}

/* What it counts as: a command is more than a configuration. */
static enum guard_entry_kind kind_of(uint8_t by)
{
	if (by & GUARD_BY_RUNTIME)
		return GUARD_ENTRY_RUNTIME;
	return by & GUARD_BY_DECLARED ? GUARD_ENTRY_DECLARED : GUARD_ENTRY_PROTECTION;
}

/* @change: 1 where @item comes, -1 where it goes. */
static void count_item(struct guard_slot *slot, const struct guard_item *item, int change)
{
	size_t *counts = is_exact(item) ? slot->n_exact_in : slot->counts;

	for (size_t list = 0; list < GUARD_LISTS; list++) {
		if (!item->by[list])
			continue;
		counts[list] += (size_t)change;
		slot->by[list][kind_of(item->by[list])] += (size_t)change;
	}
}

/* Where entries are read that are there already. */
struct counting {
	struct guard_slot *slot;
	bool exact;
};

static int count_entry(void *ctx, const void *key, const void *value)
{
	const struct counting *c = ctx;
	struct guard_item item = {.prefix.prefixlen = c->exact ? GUARD_ADDRESS_BITS : 0};

	(void)key;
	guard_item_of_entry(value, item.by);
	count_item(c->slot, &item, 1);
	return 0;
}

static int count_slot(struct guard_slot *slot, struct error *e)
{
	struct counting c = {.slot = slot, .exact = true};
	int err = guard_map_each(&slot->exact, count_entry, &c, e);

	c.exact = false;
	for (size_t i = 0; !err && i < GUARD_LISTS; i++)
		err = guard_map_each(&slot->tries[i], count_entry, &c, e);
	return err;
}

static int open_slot(const struct guard_set *s, uint32_t at, struct guard_slot *slot,
		     struct error *e)
{
	int err = inner_map_open(s->unit, &s->outer_exact, at, &slot->exact, e);

	for (size_t i = 0; !err && i < GUARD_LISTS; i++)
		err = inner_map_open(s->unit, &s->outer_tries, trie_index(at, i), &slot->tries[i],
				     e);
	return err ? error_prefix(e, "the lists that are in use") : 0;
}

static void keep_slot(const struct guard_set *s, uint32_t at, const struct guard_slot *slot)
{
	inner_map_keep(s->unit, &s->outer_exact, at, slot->exact.fd);
	for (size_t i = 0; i < GUARD_LISTS; i++)
		inner_map_keep(s->unit, &s->outer_tries, trie_index(at, i), slot->tries[i].fd);
}

void guard_set_keep(const struct guard_set *s)
{
	if (s->slot.exact.fd >= 0)
		keep_slot(s, s->settings->lists_slot & 1, &s->slot);
}

static void forget_slot(const struct guard_set *s, uint32_t at)
{
	inner_map_forget(s->unit, &s->outer_exact, at);
	for (size_t i = 0; i < GUARD_LISTS; i++)
		inner_map_forget(s->unit, &s->outer_tries, trie_index(at, i));
}

int guard_set_adopt(struct guard_set *s, struct error *e)
{
	uint32_t at = s->settings->lists_slot & 1;
	struct guard_slot slot = no_slot;
	int err = open_slot(s, at, &slot, e);

	if (!err)
		err = count_slot(&slot, e);
	slot_close(err ? &slot : &s->slot);
	if (err)
		return err;
	s->slot = slot;
	guard_set_keep(s);
	return 0;
}

/* ---- a new set ---- */

/* Entries that wait to be written together. */
struct writer {
	struct guard_settings *settings;
	const struct map_info *map;
	uint32_t count;
	uint8_t keys[CHUNK * sizeof(struct guard_prefix)];
	struct guard_entry values[CHUNK];
};

/* Whoever writes is alive: a long list is no silence. */
static int write_out(struct writer *w)
{
	int err = mapwrite_put_all(w->map, w->keys, w->values, w->count);

	guard_settings_beat(w->settings);
	w->count = 0;
	return err;
}

static int write_one(struct writer *w, const void *key, const struct guard_entry *value)
{
	memcpy(w->keys + (size_t)w->count * w->map->key_size, key, w->map->key_size);
	w->values[w->count++] = *value;
	return w->count == CHUNK ? write_out(w) : 0;
}

/* What of @item a trie of @list has. */
static struct guard_entry entry_in(const struct guard_item *item, size_t list)
{
	struct guard_item alone = {.prefix = item->prefix};

	alone.by[list] = item->by[list];
	return guard_item_entry(&alone);
}

static void count_items(const struct guard_items *items, struct guard_slot *slot)
{
	for (size_t i = 0; i < items->count; i++)
		count_item(slot, &items->items[i], 1);
}

static int create(const struct map_info *like, size_t entries, struct map_info *ret)
{
	*ret = *like;
	ret->max_entries = (uint32_t)entries;
	ret->fd = mapwrite_create_like(like, BPF_F_NO_PREALLOC, ret->max_entries);
	return ret->fd < 0 ? ret->fd : 0;
}

static int create_slot(const struct guard_set *s, struct guard_slot *slot)
{
	size_t n_exact = slot->n_exact_in[GUARD_ALLOW_LIST] + slot->n_exact_in[GUARD_BLOCK_LIST];
	int err = create(&s->empty_exact, 2 * n_exact + ROOM_EXACT, &slot->exact);

	for (size_t i = 0; !err && i < GUARD_LISTS; i++)
		err = create(&s->empty_trie, slot->counts[i] + ROOM_TRIE, &slot->tries[i]);
	return err;
}

static int fill_exact(struct writer *w, const struct guard_items *items)
{
	int err = 0;

	for (size_t i = 0; !err && i < items->count; i++) {
		const struct guard_item *item = &items->items[i];
		const struct guard_entry entry = guard_item_entry(item);

		if (is_exact(item))
			err = write_one(w, item->prefix.address, &entry);
	}
	return err ? err : write_out(w);
}

static int fill_trie(struct writer *w, const struct guard_items *items, size_t list)
{
	int err = 0;

	for (size_t i = 0; !err && i < items->count; i++) {
		const struct guard_item *item = &items->items[i];
		const struct guard_entry entry = entry_in(item, list);

		if (!is_exact(item) && item->by[list])
			err = write_one(w, &item->prefix, &entry);
	}
	return err ? err : write_out(w);
}

static int fill_slot(struct guard_settings *settings, const struct guard_slot *slot,
		     const struct guard_items *items)
{
	_cleanup_free_ struct writer *w = calloc(1, sizeof(*w));
	int err = w ? 0 : -ENOMEM;

	if (!err) {
		w->settings = settings;
		w->map = &slot->exact;
		err = fill_exact(w, items);
	}
	for (size_t i = 0; !err && i < GUARD_LISTS; i++) {
		w->map = &slot->tries[i];
		err = fill_trie(w, items, i);
	}
	return err;
}

static int place(const struct guard_set *s, uint32_t at, int exact_fd,
		 const int trie_fds[GUARD_LISTS])
{
	int err = mapwrite_put(s->outer_exact.fd, &at, &exact_fd);

	for (size_t i = 0; !err && i < GUARD_LISTS; i++) {
		uint32_t index = trie_index(at, i);

		err = mapwrite_put(s->outer_tries.fd, &index, &trie_fds[i]);
	}
	return err;
}

static uint32_t flags_of(const struct guard_slot *slot)
{
	bool exact = slot->n_exact_in[GUARD_ALLOW_LIST] || slot->n_exact_in[GUARD_BLOCK_LIST];

	return (exact ? GUARD_EXACT : 0) |
	       (slot->counts[GUARD_ALLOW_LIST] ? GUARD_ALLOW_PREFIXES : 0) |
	       (slot->counts[GUARD_BLOCK_LIST] ? GUARD_BLOCK_PREFIXES : 0);
}

static void set_list_flags(struct guard_settings *settings, uint32_t flags)
{
	const uint32_t all = GUARD_EXACT | GUARD_ALLOW_PREFIXES | GUARD_BLOCK_PREFIXES;

	__atomic_store_n(&settings->flags, (settings->flags & ~all) | flags, __ATOMIC_RELEASE);
}

static void note_lengths(struct guard_settings *settings, const struct guard_items *items)
{
	for (size_t i = 0; i < items->count; i++)
		guard_settings_note_length(settings, &items->items[i].prefix);
}

/* The memory of lists that are not in use any more; where that fails it is kept until the next
 * time. */
static void clear_slot(const struct guard_set *s, uint32_t at)
{
	const int empty[GUARD_LISTS] = {s->empty_trie.fd, s->empty_trie.fd};

	(void)place(s, at, s->empty_exact.fd, empty);
	forget_slot(s, at);
}

/* What the old lists need stays set until the new ones are taken. */
static void take(struct guard_set *s, struct guard_slot *slot, uint32_t at)
{
	uint32_t before = s->settings->lists_slot & 1;

	set_list_flags(s->settings, flags_of(&s->slot) | flags_of(slot));
	store_lists(s->settings, at);
	set_list_flags(s->settings, flags_of(slot));
	slot_close(&s->slot);
	s->slot = *slot;
	if (before != at)
		clear_slot(s, before);
}

int guard_set_build(struct guard_set *s, const struct guard_items *items, struct error *e)
{
	uint32_t at = !(s->settings->lists_slot & 1);
	struct guard_slot slot = no_slot;
	int err;

	count_items(items, &slot);
	err = create_slot(s, &slot);
	if (!err)
		err = fill_slot(s->settings, &slot, items);
	if (!err) {
		const int tries[GUARD_LISTS] = {slot.tries[0].fd, slot.tries[1].fd};

		note_lengths(s->settings, items);
		keep_slot(s, at, &slot);
		err = place(s, at, slot.exact.fd, tries);
	}
	if (err) {
		slot_close(&slot);
		return error_set(e, err, "cannot build lists of %zu networks: %s", items->count,
				 error_words(err));
	}
	take(s, &slot, at);
	return 0;
}

/* ---- what is there ---- */

struct reading {
	struct guard_items *items;
	int list; /* of a trie; -1: exact addresses */
};

static int keep_item(struct guard_items *items, const struct guard_prefix *p,
		     const uint8_t by[GUARD_LISTS])
{
	int err = 0;

	for (int list = 0; !err && list < GUARD_LISTS; list++)
		err = by[list] ? guard_list_add(items, p, list, by[list]) : 0;
	return err;
}

static int read_one(void *ctx, const void *key, const void *value)
{
	const struct reading *r = ctx;
	struct guard_prefix p = {.prefixlen = GUARD_ADDRESS_BITS};
	uint8_t by[GUARD_LISTS];

	if (r->list < 0)
		memcpy(p.address, key, sizeof(p.address));
	else
		memcpy(&p, key, sizeof(p));
	guard_item_of_entry(value, by);
	return keep_item(r->items, &p, by);
}

int guard_set_read(const struct guard_set *s, struct guard_items *ret, struct error *e)
{
	struct reading r = {.items = ret, .list = -1};
	int err;

	if (s->slot.exact.fd < 0)
		return 0;
	err = guard_map_each(&s->slot.exact, read_one, &r, e);

	for (r.list = 0; !err && r.list < GUARD_LISTS; r.list++)
		err = guard_map_each(&s->slot.tries[r.list], read_one, &r, e);
	if (!err)
		guard_list_settle(ret);
	return err;
}

/* A lookup in a trie gives the longest network that the key is in, perhaps a shorter one than that
 * was asked for: entries know their length. */
static uint8_t trie_get(const struct map_info *trie, const struct guard_prefix *p, int list)
{
	uint8_t by[GUARD_LISTS];
	struct guard_entry entry;

	if (mapwrite_get(trie->fd, p, &entry) || guard_entry_length(&entry) != p->prefixlen)
		return 0;
	guard_item_of_entry(&entry, by);
	return by[list];
}

int guard_set_get(const struct guard_set *s, const struct guard_prefix *p, struct guard_item *ret)
{
	struct guard_entry entry = {0};
	int err = 0;

	*ret = (struct guard_item){.prefix = *p};
	for (int list = 0; !is_exact(ret) && list < GUARD_LISTS; list++)
		ret->by[list] = trie_get(&s->slot.tries[list], p, list);
	if (is_exact(ret))
		err = mapwrite_get(s->slot.exact.fd, p->address, &entry);
	if (is_exact(ret) && !err)
		guard_item_of_entry(&entry, ret->by);
	return err == -ENOENT ? 0 : err;
}

uint8_t guard_set_blocked_by(const struct guard_set *s, const struct guard_prefix *address)
{
	struct guard_prefix whole = {.prefixlen = GUARD_ADDRESS_BITS};
	uint8_t by[GUARD_LISTS] = {0};
	struct guard_entry entry;

	memcpy(whole.address, address->address, sizeof(whole.address));
	if (mapwrite_get(s->slot.exact.fd, whole.address, &entry) == 0)
		guard_item_of_entry(&entry, by);
	if (!by[GUARD_BLOCK_LIST] &&
	    mapwrite_get(s->slot.tries[GUARD_BLOCK_LIST].fd, &whole, &entry) == 0)
		guard_item_of_entry(&entry, by);
	return by[GUARD_BLOCK_LIST];
}

size_t guard_set_count(const struct guard_set *s, int list)
{
	return s->slot.counts[list] + s->slot.n_exact_in[list];
}

/* ---- one network ---- */

static int put_or_remove(const struct map_info *map, const void *key,
			 const struct guard_entry *entry)
{
	int err = entry->flags ? mapwrite_put(map->fd, key, entry) : mapwrite_remove(map->fd, key);

	return err == -ENOENT ? 0 : err;
}

static int put_in_place(struct guard_set *s, const struct guard_item *item)
{
	struct guard_entry entry = guard_item_entry(item);
	int err = 0;

	if (is_exact(item))
		return put_or_remove(&s->slot.exact, item->prefix.address, &entry);
	for (size_t list = 0; !err && list < GUARD_LISTS; list++) {
		entry = entry_in(item, list);
		err = put_or_remove(&s->slot.tries[list], &item->prefix, &entry);
	}
	return err;
}

/* There is no room for one more: a new set, which has. */
static int rebuild_with(struct guard_set *s, const struct guard_item *item, struct error *e)
{
	_cleanup_guard_items_ struct guard_items items = {0};
	int err = guard_set_read(s, &items, e);

	if (!err && keep_item(&items, &item->prefix, item->by))
		err = error_set(e, -ENOMEM, "no memory for the lists");
	if (err)
		return err;
	guard_list_settle(&items);
	return guard_set_build(s, &items, e);
}

int guard_set_put(struct guard_set *s, const struct guard_item *item, struct error *e)
{
	char text[GUARD_PREFIX_TEXT];
	struct guard_item before;
	int err = guard_set_get(s, &item->prefix, &before);

	if (!err)
		err = put_in_place(s, item);
	if (err == -ENOSPC || err == -E2BIG)
		return rebuild_with(s, item, e);
	if (err) {
		guard_prefix_print(&item->prefix, text);
		return error_set(e, err, "cannot change the entry of %s: %s", text,
				 error_words(err));
	}
	count_item(&s->slot, &before, -1);
	count_item(&s->slot, item, 1);
	guard_settings_note_length(s->settings, &item->prefix);
	set_list_flags(s->settings, flags_of(&s->slot));
	guard_settings_renew(s->settings);
	return 0;
}
