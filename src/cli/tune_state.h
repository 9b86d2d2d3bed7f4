/* SPDX-License-Identifier: MIT */
/* What `wiregauge tune` has changed, in a file: to be taken back, also after a crash. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct tune_change {
	char *name;
	char *before; /* the value that it had first */
	char *after;  /* what it was set to last */
};

struct tune_state {
	struct tune_change *items;
	size_t count;
	uint64_t netns; /* inode of the network namespace that it is about */
};

/* The inode of this process's network namespace; 0 where that cannot be told. */
uint64_t tune_netns(void);

/* A file that is not there is an empty state of this network namespace. tune_state_free() in any
 * case. */
int tune_state_load(const char *path, struct tune_state *ret, struct error *e);

/* In one step, on the disk when it gives back 0; an empty one removes the file. */
int tune_state_save(const char *path, const struct tune_state *s, struct error *e);
void tune_state_free(struct tune_state *s);

/* The change of @name, or NULL. */
struct tune_change *tune_state_find(const struct tune_state *s, const char *name);

/* Adds that @name goes from @before to @after; of one that is there just @after is new. -ENOMEM. */
int tune_state_add(struct tune_state *s, const char *name, const char *before, const char *after);
void tune_state_remove(struct tune_state *s, struct tune_change *change);
