// SPDX-License-Identifier: MIT
#include "guard_confirm.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "guard_change.h"
#include "kernel/mapwrite.h"

bool guard_confirm_at(const struct guard *g, uint32_t index, struct guard_pending *ret)
{
	if (index >= GUARD_PENDING_MAX)
		return false;
	if (mapwrite_get(g->pending.fd, &index, ret))
		*ret = (struct guard_pending){0};
	return true;
}

static int put(struct guard *g, uint32_t index, const struct guard_pending *p)
{
	return mapwrite_put(g->pending.fd, &index, p);
}

static void clear(struct guard *g, uint32_t index)
{
	const struct guard_pending none = {0};

	(void)put(g, index, &none);
}

/* The place of what waits and is about the same as @c, else an empty one; GUARD_PENDING_MAX. */
static uint32_t find_place(const struct guard *g, const struct guard_change *c,
			   struct guard_pending *ret)
{
	uint32_t empty = GUARD_PENDING_MAX;
	struct guard_pending p;

	for (uint32_t i = 0; guard_confirm_at(g, i, &p); i++) {
		if (p.id && guard_change_same(&p.before, c)) {
			*ret = p;
			return i;
		}
		if (!p.id && empty == GUARD_PENDING_MAX)
			empty = i;
	}
	*ret = (struct guard_pending){.before = *c};
	return empty;
}

static uint32_t next_id(struct guard *g)
{
	struct guard_memory memory;
	const uint32_t first = 0;

	if (mapwrite_get(g->memory.fd, &first, &memory))
		return 1;
	memory.next_id = memory.next_id == UINT32_MAX ? 1 : memory.next_id + 1;
	(void)mapwrite_put(g->memory.fd, &first, &memory);
	return memory.next_id;
}

int guard_confirm_arm(struct guard *g, const struct guard_change *before, uint64_t ns,
		      uint32_t *ret_id, struct error *e)
{
	struct guard_pending p;
	uint32_t index = find_place(g, before, &p);
	int err;

	if (index == GUARD_PENDING_MAX)
		return error_set(e, -ENOSPC,
				 "%u changes wait to be confirmed; confirm or revert some",
				 GUARD_PENDING_MAX);
	if (!p.id)
		p.id = next_id(g);
	p.deadline_ns = clock_monotonic_ns() + ns;
	err = put(g, index, &p);
	if (err)
		return error_set(e, err, "cannot keep what is to be reverted: %s",
				 error_words(err));
	*ret_id = p.id;
	return 0;
}

void guard_confirm_forget(struct guard *g, const struct guard_change *c)
{
	struct guard_pending p;
	uint32_t index = find_place(g, c, &p);

	if (p.id)
		clear(g, index);
}

static int revert(struct guard *g, uint32_t index, const struct guard_pending *p, const char *by,
		  const char *why, struct error *e)
{
	_cleanup_buf_ struct buf what = {0};
	int err = guard_change_make(g, &p->before, e);

	if (err)
		return err;
	clear(g, index);
	guard_change_describe(&p->before, &what);
	guard_log_write(&g->log, "revert", buf_str(&what), by, "%s", why);
	return 0;
}

static void note_confirmed(struct guard *g, uint32_t index, const struct guard_pending *p,
			   const char *by)
{
	_cleanup_buf_ struct buf what = {0};

	clear(g, index);
	guard_change_describe(&p->before, &what);
	guard_log_write(&g->log, "confirm", buf_str(&what), by, "change %u stays", p->id);
}

/* The place of the newest that waits, with number @id where that is not 0. */
static uint32_t find_newest(const struct guard *g, uint32_t id, struct guard_pending *ret)
{
	uint32_t found = GUARD_PENDING_MAX;
	struct guard_pending p;

	ret->id = 0;
	for (uint32_t i = 0; guard_confirm_at(g, i, &p); i++) {
		if (p.id > ret->id && (!id || p.id == id)) {
			found = i;
			*ret = p;
		}
	}
	return found;
}

int guard_confirm_settle(struct guard *g, uint32_t id, bool take_back, const char *by,
			 struct error *e)
{
	struct guard_pending p;
	uint32_t index;
	int count = 0, err = 0;

	for (; !err && (index = find_newest(g, id, &p)) < GUARD_PENDING_MAX; count++) {
		if (take_back)
			err = revert(g, index, &p, by, "commanded", e);
		else
			note_confirmed(g, index, &p, by);
	}
	return err ? err : count;
}

uint64_t guard_confirm_tick(struct guard *g, uint64_t now)
{
	uint64_t next = UINT64_MAX;
	struct guard_pending p;
	struct error error;

	for (uint32_t i = 0; guard_confirm_at(g, i, &p); i++) {
		if (!p.id)
			continue;
		if (p.deadline_ns > now) {
			next = MIN(next, p.deadline_ns);
			continue;
		}
		/* It is tried again at the next tick. */
		if (revert(g, i, &p, "guard", "nobody confirmed it in time", &error))
			guard_log_write(&g->log, "failed", "revert", "guard", "%s", error.text);
	}
	return next;
}
