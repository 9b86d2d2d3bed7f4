// SPDX-License-Identifier: MIT
#include "guard_limits.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "guard_map.h"
#include "guard_set.h"
#include "kernel/mapwrite.h"

/* Index 0 is for what no other is about: the rate of all sources, and no limit of a port. */
enum { FIRST_INDEX = 1 };

int guard_limits_open(struct guard_limits *l, const struct object *o,
		      struct guard_settings *settings, struct error *e)
{
	int cpus = libbpf_num_possible_cpus();

	l->settings = settings;
	l->cpus = cpus > 0 ? (unsigned)cpus : 1;
	if (object_find_map(o, "guard_limit_books", &l->books) ||
	    object_find_map(o, "guard_limits", &l->networks) ||
	    object_find_map(o, "guard_rates", &l->rates) ||
	    object_find_map(o, "guard_port_rates", &l->port_rates) ||
	    object_find_map(o, "guard_port_limits", &l->port_limits))
		return error_set(e, -ENOENT, "the object has not the maps of guard.h");
	return 0;
}

static bool is_none(const struct guard_amount *a)
{
	return !a->bits && !a->packets;
}

const struct guard_amount *guard_limit_amount(const struct guard_limit_book *book)
{
	return is_none(&book->runtime) ? &book->declared : &book->runtime;
}

size_t guard_limits_count(const struct guard_limits *l)
{
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(l->counts); i++)
		count += l->counts[i];
	return count;
}

int guard_limits_get(const struct guard_limits *l, const struct guard_target *t,
		     struct guard_limit_book *ret)
{
	*ret = (struct guard_limit_book){0};
	return mapwrite_get(l->books.fd, t, ret);
}

/* The trie tells the rate, and not whose it is: the network is as long as the longest that the
 * books have. */
int guard_limits_find(const struct guard_limits *l, const struct guard_prefix *address,
		      struct guard_target *ret_target, struct guard_limit_book *ret)
{
	struct guard_target t = {.kind = GUARD_TARGET_NETWORK};
	uint32_t index;

	if (mapwrite_get(l->networks.fd, address, &index) == 0) {
		for (int bits = (int)address->prefixlen; bits >= 0; bits--) {
			t.prefix = guard_prefix_cut(address, (unsigned)bits);
			if (guard_limits_get(l, &t, ret) == 0) {
				*ret_target = t;
				return 0;
			}
		}
	}
	*ret_target = (struct guard_target){.kind = GUARD_TARGET_SOURCES};
	return guard_limits_get(l, ret_target, ret);
}

/* ---- places in the arrays of rates ---- */

static uint8_t *used_of(struct guard_limits *l, const struct guard_target *t, size_t *ret_count)
{
	bool port = t->kind == GUARD_TARGET_PORT;

	*ret_count = port ? GUARD_PORT_LIMITS_MAX : GUARD_RATES_MAX;
	return port ? l->used_port_limits : l->used_rates;
}

static int take_index(struct guard_limits *l, const struct guard_target *t, uint16_t *ret)
{
	size_t count;
	uint8_t *used = used_of(l, t, &count);

	if (t->kind == GUARD_TARGET_SOURCES)
		return 0;
	for (size_t i = FIRST_INDEX; i < count; i++) {
		if (!used[i]) {
			used[i] = true;
			*ret = (uint16_t)i;
			return 0;
		}
	}
	return -ENOSPC;
}

static void mark_index(struct guard_limits *l, const struct guard_target *t, uint16_t index,
		       bool taken)
{
	size_t count;
	uint8_t *used = used_of(l, t, &count);

	if (index < count)
		used[index] = taken;
}

/* ---- the kernel's maps ---- */

static int put_rate(const struct guard_limits *l, const struct guard_target *t, uint32_t index,
		    const struct guard_amount *a)
{
	const struct guard_port_limit limit = guard_amount_port_limit(a, l->cpus);
	const struct guard_rate rate = guard_amount_rate(a);

	if (t->kind == GUARD_TARGET_PORT)
		return mapwrite_put(l->port_limits.fd, &index, &limit);
	return mapwrite_put(l->rates.fd, &index, &rate);
}

static uint32_t port_place(const struct guard_target *t)
{
	return t->port + (t->protocol == IPPROTO_UDP ? GUARD_PORTS : 0);
}

/* Who points at the rate: nothing at that of all sources, which a flag switches on. */
static int put_pointer(const struct guard_limits *l, const struct guard_target *t, uint32_t index)
{
	uint32_t place = port_place(t);
	uint16_t short_index = (uint16_t)index;

	switch (t->kind) {
	case GUARD_TARGET_NETWORK:
		return mapwrite_put(l->networks.fd, &t->prefix, &index);
	case GUARD_TARGET_PORT:
		return mapwrite_put(l->port_rates.fd, &place, &short_index);
	default:
		return 0;
	}
}

static int remove_pointer(const struct guard_limits *l, const struct guard_target *t)
{
	uint32_t place = port_place(t);
	const uint16_t none = 0;
	int err;

	switch (t->kind) {
	case GUARD_TARGET_NETWORK:
		err = mapwrite_remove(l->networks.fd, &t->prefix);
		return err == -ENOENT ? 0 : err;
	case GUARD_TARGET_PORT:
		return mapwrite_put(l->port_rates.fd, &place, &none);
	default:
		return 0;
	}
}

static void set_flags(const struct guard_limits *l)
{
	guard_settings_set_flag(l->settings, GUARD_SOURCE_RATE, l->counts[GUARD_TARGET_SOURCES]);
	guard_settings_set_flag(l->settings, GUARD_LIMITS, l->counts[GUARD_TARGET_NETWORK]);
	guard_settings_set_flag(l->settings, GUARD_PORT_LIMITS, l->counts[GUARD_TARGET_PORT]);
	guard_settings_renew(l->settings);
}

/* ---- one limit ---- */

static int remove_limit(struct guard_limits *l, const struct guard_target *t,
			const struct guard_limit_book *book)
{
	int err = remove_pointer(l, t);

	if (!err)
		err = mapwrite_remove(l->books.fd, t);
	if (err)
		return err;
	mark_index(l, t, book->index, false);
	l->counts[t->kind]--;
	return 0;
}

/* The rate is there before anything points at it. */
static int put_limit(struct guard_limits *l, const struct guard_target *t,
		     struct guard_limit_book *book, bool is_new)
{
	int err = is_new ? take_index(l, t, &book->index) : 0;

	if (!err)
		err = put_rate(l, t, book->index, guard_limit_amount(book));
	if (!err)
		err = put_pointer(l, t, book->index);
	if (!err)
		err = mapwrite_put(l->books.fd, t, book);
	if (err && is_new)
		mark_index(l, t, book->index, false);
	if (!err)
		l->counts[t->kind] += is_new;
	if (!err && t->kind == GUARD_TARGET_NETWORK)
		guard_settings_note_length(l->settings, &t->prefix);
	return err;
}

/* Writes @book in the place of what is there. */
static int settle(struct guard_limits *l, const struct guard_target *t,
		  struct guard_limit_book *book, struct error *e)
{
	_cleanup_buf_ struct buf name = {0};
	struct guard_limit_book before;
	bool is_new = guard_limits_get(l, t, &before) != 0;
	int err = 0;

	book->index = before.index;
	if (!is_none(guard_limit_amount(book)))
		err = put_limit(l, t, book, is_new);
	else if (!is_new)
		err = remove_limit(l, t, book);
	set_flags(l);
	if (!err)
		return 0;
	guard_target_add_text(t, &name);
	if (err == -ENOSPC || err == -E2BIG)
		return error_set(e, err,
				 "there is no room for the limit of %s: at most %u networks "
				 "and %u ports have limits",
				 buf_str(&name), GUARD_RATES_MAX - FIRST_INDEX,
				 GUARD_PORT_LIMITS_MAX - FIRST_INDEX);
	return error_set(e, err, "cannot set the limit of %s: %s", buf_str(&name),
			 error_words(err));
}

int guard_limits_command(struct guard_limits *l, const struct guard_target *t,
			 const struct guard_amount *amount, struct error *e)
{
	struct guard_limit_book book;

	(void)guard_limits_get(l, t, &book);
	book.runtime = *amount;
	return settle(l, t, &book, e);
}

/* ---- all of them ---- */

struct books {
	struct guard_target *targets;
	struct guard_limit_book *books;
	size_t count;
	size_t cap;
};

static void books_free(struct books *b)
{
	free(b->targets);
	free(b->books);
}

static int keep_book(void *ctx, const void *key, const void *value)
{
	struct books *b = ctx;

	if (b->count == b->cap)
		return -ENOSPC;
	memcpy(&b->targets[b->count], key, sizeof(*b->targets));
	memcpy(&b->books[b->count++], value, sizeof(*b->books));
	return 0;
}

static int read_books(const struct guard_limits *l, struct books *ret, struct error *e)
{
	ret->cap = l->books.max_entries;
	ret->targets = calloc(ret->cap, sizeof(*ret->targets));
	ret->books = calloc(ret->cap, sizeof(*ret->books));
	if (!ret->targets || !ret->books)
		return error_set(e, -ENOMEM, "no memory for the limits");
	return guard_map_each(&l->books, keep_book, ret, e);
}

/* The rates of an earlier daemon stay where they are. */
static void take_up(struct guard_limits *l, const struct books *b)
{
	for (size_t i = 0; i < b->count; i++) {
		mark_index(l, &b->targets[i], b->books[i].index, true);
		l->counts[b->targets[i].kind]++;
	}
}

static const struct guard_amount *declared_for(const struct guard_options *o,
					       const struct guard_target *t)
{
	static const struct guard_amount none;

	for (size_t i = 0; i < o->n_limits; i++) {
		if (memcmp(&o->limits[i].target, t, sizeof(*t)) == 0)
			return &o->limits[i].amount;
	}
	return &none;
}

static int declare(struct guard_limits *l, const struct guard_target *t,
		   const struct guard_amount *amount, struct error *e)
{
	struct guard_limit_book book;

	(void)guard_limits_get(l, t, &book);
	if (memcmp(&book.declared, amount, sizeof(*amount)) == 0)
		return 0;
	book.declared = *amount;
	return settle(l, t, &book, e);
}

int guard_limits_apply(struct guard_limits *l, const struct guard_options *o, struct error *e)
{
	_cleanup_(books_free) struct books b = {0};
	int err = read_books(l, &b, e);

	if (err)
		return err;
	take_up(l, &b);
	/* First what is not configured any more, which makes room. */
	for (size_t i = 0; !err && i < b.count; i++)
		err = declare(l, &b.targets[i], declared_for(o, &b.targets[i]), e);
	for (size_t i = 0; !err && i < o->n_limits; i++)
		err = declare(l, &o->limits[i].target, &o->limits[i].amount, e);
	if (!err)
		set_flags(l);
	return err;
}
