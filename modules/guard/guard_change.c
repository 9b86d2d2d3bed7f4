// SPDX-License-Identifier: MIT
#include "guard_change.h"

#include <errno.h>
#include <string.h>

#include "guard_bans.h"

struct guard_change guard_change_of_list(int list, const struct guard_prefix *p, uint8_t by)
{
	return (struct guard_change){
		.kind = GUARD_CHANGE_LIST,
		.list = (uint8_t)list,
		.value = by,
		.target.prefix = *p,
	};
}

struct guard_change guard_change_of_ban(const struct guard_prefix *network,
					const struct guard_ban *ban)
{
	struct guard_change c = {.kind = GUARD_CHANGE_BAN, .target.prefix = *network};

	if (ban) {
		c.value = 1;
		c.ban = *ban;
	}
	return c;
}

struct guard_change guard_change_of_limit(const struct guard_target *t,
					  const struct guard_amount *amount)
{
	struct guard_change c = {.kind = GUARD_CHANGE_LIMIT, .target = *t};

	if (amount)
		c.amount = *amount;
	return c;
}

struct guard_change guard_change_of_mode(uint8_t mode)
{
	return (struct guard_change){.kind = GUARD_CHANGE_MODE, .value = mode};
}

const char *guard_mode_name(uint8_t mode)
{
	return mode == GUARD_ENFORCE ? "enforce" : "monitor";
}

/* ---- kinds ---- */

/* What a command sets of whose an entry is; the rest is not its own. */
enum { COMMANDED = GUARD_BY_RUNTIME | GUARD_BY_FORCE };

static int read_list(struct guard *g, struct guard_change *c, struct error *e)
{
	struct guard_item item;
	int err = guard_set_get(&g->set, &c->target.prefix, &item);

	if (err)
		return error_set(e, err, "cannot read the lists: %s", error_words(err));
	c->value = item.by[c->list] & COMMANDED;
	return 0;
}

static int make_list(struct guard *g, const struct guard_change *c, struct error *e)
{
	struct guard_item item;
	int err = guard_set_get(&g->set, &c->target.prefix, &item);

	if (err)
		return error_set(e, err, "cannot read the lists: %s", error_words(err));
	item.by[c->list] = (item.by[c->list] & ~COMMANDED) | (c->value & COMMANDED);
	err = guard_set_put(&g->set, &item, e);
	/* What is blocked now may be protected, and the other way round. */
	return err ? err : guard_protect_now(g, e);
}

static int read_ban(struct guard *g, struct guard_change *c, struct error *e)
{
	int err = guard_ban_get(g, &c->target.prefix, &c->ban);

	c->value = !err;
	if (err)
		memset(&c->ban, 0, sizeof(c->ban));
	if (err && err != -ENOENT)
		return error_set(e, err, "cannot read the bans: %s", error_words(err));
	return 0;
}

static int make_ban(struct guard *g, const struct guard_change *c, struct error *e)
{
	return c->value ? guard_ban_put(g, &c->target.prefix, &c->ban, e)
			: guard_ban_remove(g, &c->target.prefix, e);
}

static int read_limit(struct guard *g, struct guard_change *c, struct error *e)
{
	struct guard_limit_book book;
	int err = guard_limits_get(&g->limits, &c->target, &book);

	if (err && err != -ENOENT)
		return error_set(e, err, "cannot read the limits: %s", error_words(err));
	c->amount = book.runtime;
	return 0;
}

static int make_limit(struct guard *g, const struct guard_change *c, struct error *e)
{
	return guard_limits_command(&g->limits, &c->target, &c->amount, e);
}

static int read_mode(struct guard *g, struct guard_change *c, struct error *e)
{
	(void)e;
	c->value = g->settings->mode;
	return 0;
}

static int make_mode(struct guard *g, const struct guard_change *c, struct error *e)
{
	(void)e;
	g->settings->mode = c->value;
	return 0;
}

/* ---- in words ---- */

static void add_network(const struct guard_change *c, struct buf *text)
{
	guard_prefix_add_text(&c->target.prefix, text);
}

static void add_target(const struct guard_change *c, struct buf *text)
{
	guard_target_add_text(&c->target, text);
}

static void add_guard(const struct guard_change *c, struct buf *text)
{
	(void)c;
	buf_add_str(text, "guard");
}

static const struct {
	const char *word; /* NULL: the list's name */
	int (*read)(struct guard *g, struct guard_change *c, struct error *e);
	int (*make)(struct guard *g, const struct guard_change *c, struct error *e);
	void (*add_subject)(const struct guard_change *c, struct buf *text);
} kinds[] = {
	[GUARD_CHANGE_LIST] = {NULL, read_list, make_list, add_network},
	[GUARD_CHANGE_BAN] = {"ban", read_ban, make_ban, add_network},
	[GUARD_CHANGE_LIMIT] = {"limit", read_limit, make_limit, add_target},
	[GUARD_CHANGE_MODE] = {"mode of", read_mode, make_mode, add_guard},
};

int guard_change_read(struct guard *g, struct guard_change *c, struct error *e)
{
	return kinds[c->kind].read(g, c, e);
}

int guard_change_make(struct guard *g, const struct guard_change *c, struct error *e)
{
	return kinds[c->kind].make(g, c, e);
}

void guard_change_add_subject(const struct guard_change *c, struct buf *text)
{
	kinds[c->kind].add_subject(c, text);
}

void guard_change_describe(const struct guard_change *c, struct buf *text)
{
	const char *word = kinds[c->kind].word;

	buf_printf(text, "%s ", word ? word : guard_list_name(c->list));
	guard_change_add_subject(c, text);
}

bool guard_change_same(const struct guard_change *a, const struct guard_change *b)
{
	return a->kind == b->kind && a->list == b->list &&
	       memcmp(&a->target, &b->target, sizeof(a->target)) == 0;
}
