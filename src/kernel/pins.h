/* SPDX-License-Identifier: MIT */
/*
 * What outlives the process in the kernel: maps and links that are pinned (bpf(2): BPF_OBJ_PIN) in
 * a directory of the bpffs. Each network namespace has one, <bpffs>/wiregauge/<number>, and one
 * process holds it at a time: a lock (flock(2)) that goes with the process, however it ends.
 *
 * A pin's name is its path in the directory, "xdp/links/xdp-4026531840-2". What is in the directory
 * and is neither a map, a link nor a directory is somebody else's and never touched.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/strv.h"

struct pins; /* opaque */

enum pin_kind { PIN_MAP, PIN_LINK };

/*
 * Opens and holds the directory of this network namespace. With @make the bpffs is mounted and the
 * directory made where they are missing; without, -ENOENT. -EADDRINUSE while another process holds
 * it.
 */
int pins_open(bool make, struct pins **ret, struct error *e);

/* The directory that has those of all network namespaces, the caller's, whether it is there or not.
 * -ENOENT where no bpffs is. */
int pins_find(char **ret, struct error *e);

/*
 * As root, before becoming user @uid of group @gid: that directory is there, and it and what is in
 * it of this network namespace is the user's, who can pass to it.
 */
int pins_prepare(uid_t uid, gid_t gid, struct error *e);

typedef int (*pins_fn)(void *ctx, const struct pins *p, struct error *e);

/* Calls @fn with the directory of each network namespace that no process holds, also of those that
 * are gone, and holds it meanwhile. Ends with the first error, which it gives back. */
int pins_each_unheld(pins_fn fn, void *ctx, struct error *e);

/* Lets go of it; without pins the directory goes too. */
void pins_close(struct pins *p);

/* The path of the directory. */
const char *pins_path(const struct pins *p);

/* Appends @text as a part of a name: what the bpffs does not take, as %xx. */
void pins_add_part(struct buf *name, const char *text);

/* A descriptor of the pin @name into *ret_fd. -ENOENT when there is none, -EEXIST when what is
 * there is of another kind. */
int pins_get(const struct pins *p, const char *name, enum pin_kind kind, int *ret_fd,
	     struct error *e);

/* Pins @fd under @name, in the place of what of its kind is there: in one step, so that at each
 * moment one of the two is. Directories on the way are made. -EEXIST for what is of another
 * kind. */
int pins_put(const struct pins *p, const char *name, enum pin_kind kind, int fd, struct error *e);

/* The names in the directory @name, "" for the whole, appended to @ret; a directory that is not
 * there has none. */
int pins_list(const struct pins *p, const char *name, struct strv *ret);

struct pins_removed {
	unsigned maps;
	unsigned links;      /* and what stands for one in a dispatcher, */
	unsigned dispatched; /* which xdp_dispatcher_sweep() takes out of it then */
	unsigned left;       /* what is not ours */
};

/* Removes the pin or directory @name with all in it, "" for everything, and directories above it
 * that are empty then; adds to *ret what that was. What it kept alive goes, unless it is held
 * otherwise. What is not there is no error. */
int pins_remove(const struct pins *p, const char *name, struct pins_removed *ret, struct error *e);
