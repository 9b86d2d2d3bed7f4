/* SPDX-License-Identifier: MIT */
/*
 * Changes that are taken back unless somebody confirms them in time: whoever cut themselves off
 * cannot. They are kept in a map that outlives the daemon, so that the next one goes on with them.
 */
#pragma once

#include "guard_state.h"

/*
 * @before, which was just changed, comes back in @ns unless it is confirmed; *ret_id is the number
 * to do that by. If it waits already, it comes back to what it was then. -ENOSPC when too many
 * wait.
 */
int guard_confirm_arm(struct guard *g, const struct guard_change *before, uint64_t ns,
		      uint32_t *ret_id, struct error *e);

/* What is about the same thing as @c does not wait any more: somebody decided otherwise since. */
void guard_confirm_forget(struct guard *g, const struct guard_change *c);

/* Ends the wait of number @id, or of all where that is 0, the newest first; with @revert all comes
 * back. How many there were, or a negative errno. */
int guard_confirm_settle(struct guard *g, uint32_t id, bool revert, const char *by,
			 struct error *e);

/* Takes back what nobody confirmed in time; when the next one is due, UINT64_MAX: none waits. */
uint64_t guard_confirm_tick(struct guard *g, uint64_t now);

/* The one at @index, from 0; false past the end. Of one that is empty the id is 0. */
bool guard_confirm_at(const struct guard *g, uint32_t index, struct guard_pending *ret);
