/* SPDX-License-Identifier: MIT */
/*
 * Hooks: the kinds of places in the kernel that programs are sent to, one row of operations each.
 * A new one is a name in enum attach_hook and config.c, a file hook_<name>.c, and a row in hooks.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "kernel/links.h"
#include "kernel/object.h"
#include "kernel/pins.h"
#include "kernel/tc.h"
#include "kernel/xdp.h"

struct unit;
struct placement;

/* A program at one place. */
struct attachment {
	char *where;      /* for people: the interface's name, the cgroup's path … */
	uint32_t link_id; /* the interface: struct link_info; 0: at none */
	uint32_t ifindex;
	uint64_t netns; /* inode number of its namespace; 0: the own */
	bool pinned;    /* persistence.h */
	bool adopted;   /* it was there before the daemon */
	bool stays;     /* it goes on without the daemon, which ends */
	union {         /* the hook's own */
		struct tc_attachment tc;
		struct xdp_attachment xdp;
		int fd; /* of a link, which ends with it */
	};
};

/* What an operation is about. */
struct hook_request {
	struct unit *unit;
	struct placement *placement;
	const struct link_info *link; /* attach, by_interface: to where */
};

struct hook {
	uint64_t types;      /* HOOK_TYPE() of the programs that it takes; 0: any */
	const char *section; /* what SEC() these have, for people */
	bool by_interface;   /* attached to each of the interfaces that the row chooses */
	bool exclusive;      /* a place has room for one program only */
	/*
	 * Before the kernel is asked: whether the row makes sense for @program of @o. What is wrong
	 * goes to @report: -EINVAL. May be NULL.
	 */
	int (*check)(const struct attach_config *row, const struct object *o,
		     const struct program_info *program, const struct source *source,
		     struct report *report);
	/* Attaches, and adds what that made by placement_add(): all of it, or nothing. At an
	 * interface of another network namespace, this thread is there meanwhile. */
	int (*attach)(const struct hook_request *r, struct error *e);
	/*
	 * by_interface: puts the program of @r in the place of the one that is at @a, without a
	 * packet unseen; -EOPNOTSUPP where that cannot be, and no other error then.
	 */
	int (*replace)(const struct hook_request *r, struct attachment *a, struct error *e);
	/*
	 * For what can be pinned, by_interface: what @fd, which was pinned, holds at r->link, into
	 * the hook's own of *a, which has the descriptor then. A negative errno when it is not
	 * there. The descriptor to be pinned, and what it is of. And taking what was adopted off
	 * its place, as nothing can be put into it. NULL all elsewhere.
	 */
	int (*adopt)(const struct hook_request *r, int fd, struct attachment *a);
	int (*pin_fd)(const struct attachment *a, enum pin_kind *ret_kind);
	int (*take_off)(const struct attachment *a, struct error *e);
	/* What it was attached to being gone is no error. What stays is only let go of. */
	int (*detach)(const struct hook_request *r, struct attachment *a, struct error *e);
	/* Before maps are read for a scrape, in the scraper's thread. May be NULL. */
	int (*run)(const struct hook_request *r, struct error *e);
	const char *(*mechanism)(const struct attachment *a);
	/* Adds what is worse about it than it could be, for people; nothing where all is well. May
	 * be NULL. */
	void (*caveat)(const struct attachment *a, struct buf *to);
};

#define HOOK_TYPE(type) (UINT64_C(1) << (type))

const struct hook *hook_get(enum attach_hook hook);

/* What stands behind the slash of the SEC() of @program; "" without one. */
const char *section_argument(const struct program_info *program);

/*
 * The row of `attach:` that the SEC() of @program stands for, into *ret. @argument: what stands
 * behind its slash, for the row to point into. False when it says of no place.
 */
bool hook_of_section(const struct program_info *program, const char *argument,
		     struct attach_config *ret);

/* The operations, in their own files. */
extern const struct hook hook_section;
extern const struct hook hook_tc_ingress;
extern const struct hook hook_tc_egress;
extern const struct hook hook_xdp;
extern const struct hook hook_netfilter;
extern const struct hook hook_cgroup;
extern const struct hook hook_cgroup_skb;
extern const struct hook hook_sock_ops;
extern const struct hook hook_iter;
extern const struct hook hook_perf_event;
