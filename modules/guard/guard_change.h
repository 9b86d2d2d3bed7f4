/* SPDX-License-Identifier: MIT */
/*
 * Everything that can be set, one way: struct guard_change of guard_books.h says what, and to what.
 * What it was before is one as well, so that any of them can be taken back.
 */
#pragma once

#include "guard_state.h"

/* What @c->target, of its kind, is set to now. */
int guard_change_read(struct guard *g, struct guard_change *c, struct error *e);

/* Makes it so. */
int guard_change_make(struct guard *g, const struct guard_change *c, struct error *e);

/* Whether the two are about the same thing, whatever they set it to. */
bool guard_change_same(const struct guard_change *a, const struct guard_change *b);

/* Appends what it is about, "10.0.0.0/8"; with its kind, "block 10.0.0.0/8". */
void guard_change_add_subject(const struct guard_change *c, struct buf *text);
void guard_change_describe(const struct guard_change *c, struct buf *text);

struct guard_change guard_change_of_list(int list, const struct guard_prefix *p, uint8_t by);
struct guard_change guard_change_of_ban(const struct guard_prefix *network,
					const struct guard_ban *ban);
struct guard_change guard_change_of_limit(const struct guard_target *t,
					  const struct guard_amount *amount);
struct guard_change guard_change_of_mode(uint8_t mode);

/* "monitor", "enforce" */
const char *guard_mode_name(uint8_t mode);
