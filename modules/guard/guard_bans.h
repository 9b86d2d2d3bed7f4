/* SPDX-License-Identifier: MIT */
/* Bans: addresses that are blocked for a time. The kernel looks at when each ends; here they are
 * made, and removed when they have ended. */
#pragma once

#include "guard_state.h"

/* In guard_ban.id: it was commanded against the protection (GUARD_BY_FORCE). */
enum { GUARD_BAN_FORCED = 1 };

/* The key under which @address is banned: of IPv6 its source prefix. */
struct guard_prefix guard_ban_network(const struct guard *g, const struct guard_prefix *address);

/* The ban of @network, by guard_ban_network(), into *ret; -ENOENT when there is none that lasts. */
int guard_ban_get(const struct guard *g, const struct guard_prefix *network, struct guard_ban *ret);
int guard_ban_put(struct guard *g, const struct guard_prefix *network, const struct guard_ban *ban,
		  struct error *e);

/* Removes it; 0 as well when there was none. */
int guard_ban_remove(struct guard *g, const struct guard_prefix *network, struct error *e);

/* Calls @fn for each ban that lasts. */
typedef int (*guard_ban_fn)(void *ctx, const struct guard_prefix *network,
			    const struct guard_ban *ban);
int guard_bans_each(const struct guard *g, guard_ban_fn fn, void *ctx, struct error *e);

/* Removes those that have ended, logs those that the kernel made since the last time, and takes
 * back those of protected addresses. */
int guard_bans_sweep(struct guard *g, struct error *e);
