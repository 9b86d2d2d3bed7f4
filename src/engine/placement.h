/* SPDX-License-Identifier: MIT */
/*
 * Programs and where they go: the rows of `attach:`, and what SEC() says of those programs that
 * have none.
 */
#pragma once

#include "engine/unit.h"

/*
 * Makes u->placements out of the configs of @u and of its object, which need not be loaded.
 * Rows whose `when` is off, and programs that are not asked for, are left out.
 */
int placements_build(struct unit *u, struct report *report);

/* Detaches all, and frees them. */
void placements_free(struct unit *u);

/* Checks the rows of @c against the programs of @o, without the kernel: -EINVAL, or 0. */
int placements_check(const struct config *c, const struct object *o, struct report *report);

/* Whether any placement is for @program. */
bool program_has_placement(const struct unit *u, size_t program);

/* Whether all placements of @program are for devices without a link layer; and whether it would be
 * attached to one that is there now. */
bool program_is_for_headerless(const struct unit *u, size_t program);
bool program_has_interface(const struct unit *u, size_t program);
/* Whether rows of @p are about other network namespaces than the own. */
bool plan_leaves_own_netns(const struct plan *p);

/* Appends the files of network namespaces that rows of @u name; -ENOMEM. */
int unit_add_netns_files(const struct unit *u, struct strv *files);

/* Attaches what is at no interface. What fails is logged and kept in the placement's error; with
 * env->strict it is given back. */
int placements_start(struct unit *u, struct error *e);

/* Attaches @p, unless it is at interfaces, or attached, or its program is not loaded. */
int placement_attach(struct unit *u, struct placement *p, struct error *e);

/* What runs before maps or records are read: iterators. What fails counts as a read error. */
void placements_run(struct unit *u);

void placement_detach_all(struct unit *u, struct placement *p);

/* For hooks: hook.detach of those whose attachment is its `fd`. */
int hook_close(const struct hook_request *r, struct attachment *a, struct error *e);

/* For hooks: an attachment at @link, nothing of the hook's in it yet. */
struct attachment attachment_at(const struct link_info *link);

/* For hooks: the descriptor of the program that is to be attached. */
int hook_program_fd(const struct hook_request *r);

/*
 * For hooks: adds @a, which @where names for people, to the placement. Without memory it detaches
 * it again: -ENOMEM.
 */
int placement_add(const struct hook_request *r, struct attachment *a, const char *where,
		  struct error *e);
