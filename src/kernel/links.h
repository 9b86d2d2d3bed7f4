/* SPDX-License-Identifier: MIT */
/*
 * The network interfaces of this namespace, kept fresh over rtnetlink (rtnetlink(7)).
 *
 * One thread owns it and calls links_update() when links_fd() is readable; any thread may ask for
 * names, which takes a short lock and never a system call.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct links; /* opaque */

struct link_info {
	uint32_t ifindex;
	uint16_t type;       /* ARPHRD_* of <net/if_arp.h> */
	uint32_t generation; /* a number that no other interface of this index ever had */
	char name[IF_NAMESIZE];
};

enum link_event { LINK_ADDED, LINK_RENAMED, LINK_REMOVED };

typedef void (*link_event_fn)(void *ctx, enum link_event event, const struct link_info *link);

/* Opens the socket, subscribes, and reads the present interfaces (no events for these). */
int links_open(struct links **ret, struct error *e);
void links_close(struct links *l);

/* Becomes readable when something changed. */
int links_fd(const struct links *l);

/*
 * Reads what is there and calls @fn for each change, in order. When the kernel dropped messages
 * because there were too many (ENOBUFS), reads all interfaces anew and reports the difference, so
 * that no change is ever missed; an index reused meanwhile is reported as removed and added.
 */
int links_update(struct links *l, link_event_fn fn, void *ctx, struct error *e);

/* Calls @fn with LINK_ADDED for each interface there is. Not from within an event. */
void links_each(struct links *l, link_event_fn fn, void *ctx);

/* Any thread: what is known of @ifindex; false where there is no such interface. */
bool links_get(const struct links *l, uint32_t ifindex, struct link_info *ret);

/* Any thread: the name of @ifindex into @name; false where there is no such interface. */
bool links_name(const struct links *l, uint32_t ifindex, char name[IF_NAMESIZE]);

/* Any thread: changes with every name that comes, goes or changes. Texts made of names under an
 * older number may be wrong. */
uint64_t links_generation(const struct links *l);
