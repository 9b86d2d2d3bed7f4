/* SPDX-License-Identifier: MIT */
/*
 * The other network namespaces of this host: which there are, and visits to them. For one thread.
 *
 * Found are those that have a file in /run/netns or /run/docker/netns, or a process in them. No
 * descriptor of one stays open, as that would keep it alive after its end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strv.h"

struct netspaces; /* opaque */

struct netspace {
	uint64_t inode;
	char *name; /* of its file; "" for one that only processes are in */
	char *path; /* to open it by */
};

int netspaces_new(struct netspaces **ret);
void netspaces_free(struct netspaces *n);

/* Looks which there are now, those of the files @paths included; NULL: of the same as before. */
int netspaces_scan(struct netspaces *n, const struct strv *paths);

/* What the last scan found, in no order; NULL past the end. */
const struct netspace *netspaces_get(const struct netspaces *n, size_t index);

/* The one of @inode that the last scan found, or NULL. */
const struct netspace *netspaces_find(const struct netspaces *n, uint64_t inode);

/* A descriptor of it, to be closed soon; -ENOENT when it is gone. */
int netspaces_open(struct netspaces *n, uint64_t inode, struct error *e);

/*
 * Takes this thread to the namespace @inode, until netspaces_leave(); nothing for 0, the own one.
 * -ENODEV when it is gone. Needs CAP_SYS_ADMIN.
 */
int netspaces_enter(struct netspaces *n, uint64_t inode, struct error *e);
void netspaces_leave(struct netspaces *n);

/* Readable when files of namespaces come and go, -1 where that cannot be told; and its reading. */
int netspaces_watch_fd(struct netspaces *n);
void netspaces_watch_read(struct netspaces *n);
