/* SPDX-License-Identifier: MIT */
/* What a configuration needs of the host before it runs: files, and what it cannot do without. */
#pragma once

#include <stdbool.h>

#include "base/landlock.h"
#include "engine/plan.h"

struct needs {
	bool persistent;   /* something outlives the daemon */
	bool leaves_netns; /* other network namespaces are entered */
};

/*
 * Adds to @paths the folders of all files that @options name, and of those that options of modules
 * do (`file:`), and says into *ret what else is needed. A configuration that is wrong names what it
 * names: whoever loads it tells what is wrong. -ENOMEM.
 */
int needs_collect(const struct plan_options *options, struct landlock_paths *paths,
		  struct needs *ret);

/* Appends the folder of @path, since files are replaced by others of the same name; -ENOMEM. */
int needs_add_folder(struct strv *to, const char *path);
