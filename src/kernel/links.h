/* SPDX-License-Identifier: MIT */
/*
 * The network interfaces of this namespace, kept fresh over rtnetlink (rtnetlink(7)); and those of
 * other namespaces that are asked for.
 *
 * An interface's id is one number for it on this host: in the own namespace its index, so that
 * nothing is different there; in another one, where the same indices are used again, a number from
 * LINK_FOREIGN up that is given once. No namespace is kept alive by being followed: there is one
 * socket, in the own one, that hears of those that have an id there (netns ids, ip-netns(8)), which
 * they are given where they have none.
 *
 * One thread owns it and calls links_update() when links_fd() is readable; any thread may ask for
 * names, which takes a short lock and never a system call.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strv.h"

struct links; /* opaque */

/* Indices are positive numbers of the type int. */
#define LINK_FOREIGN (UINT32_C(1) << 31)

enum { LINK_KIND_SIZE = 16 };

struct link_info {
	uint32_t id;         /* on this host: see above */
	uint32_t ifindex;    /* in its namespace */
	uint64_t netns;      /* inode number of its namespace; 0: the own */
	uint16_t type;       /* ARPHRD_* of <net/if_arp.h> */
	uint32_t generation; /* a number that no other interface of this index ever had */
	/*
	 * Behind it is a device, of hardware or of a virtual machine; and it is not the one of a
	 * pair whose packets the other one has, too (cloud providers' virtual functions).
	 */
	bool physical;
	char kind[LINK_KIND_SIZE]; /* of what software makes, as ip-link(8) has it: "veth"; or "" */
	char name[IF_NAMESIZE];
};

/* LINK_RENAMED: or it is of another kind now. */
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

/*
 * Follows the interfaces of the namespace of descriptor @fd and inode @netns, too, which is not the
 * own one, and reports those that are there; nothing where it is followed already. @fd need not
 * stay open. It ends with the namespace: then all its interfaces are removed.
 */
int links_follow(struct links *l, uint64_t netns, int fd, link_event_fn fn, void *ctx,
		 struct error *e);

/* Ends following the namespaces that @keep is false of. */
void links_unfollow(struct links *l, bool (*keep)(void *ctx, uint64_t netns), link_event_fn fn,
		    void *ctx);

/* Whether the namespace of inode @netns is followed. */
bool links_follows(const struct links *l, uint64_t netns);

/* Whether namespaces were given ids since the last call: there may be new ones. */
bool links_heard_of_namespaces(struct links *l);

/* Any thread: what is known of the interface @id; false where there is no such one. */
bool links_get(const struct links *l, uint32_t id, struct link_info *ret);

/* Any thread: the name of the interface @id into @name; false where there is no such one. */
bool links_name(const struct links *l, uint32_t id, char name[IF_NAMESIZE]);

/*
 * Whether @patterns choose @link (strv.h): shell patterns of names, and "kind:physical",
 * "kind:veth", "kind:ip*" …, which no name can be, as there is no ':' in any.
 */
bool link_is_chosen(const struct link_info *link, const struct strv *patterns);

/* Inode number of the own namespace. */
uint64_t links_own_netns(const struct links *l);

/* Any thread: changes with every name that comes, goes or changes. Texts made of names under an
 * older number may be wrong. */
uint64_t links_generation(const struct links *l);
