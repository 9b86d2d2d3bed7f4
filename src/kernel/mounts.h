/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Where a file system of @type ("cgroup2", "tracefs") is mounted, by /proc/self/mountinfo (see
 * proc(5)), into memory of the caller's: the whole of it if that is mounted anywhere, else a part.
 * -ENOENT when it is not mounted; another negative errno when that cannot be read.
 */
int mounts_find(const char *type, char **ret);

/* The same out of the lines @text. */
int mounts_find_in(const char *text, const char *type, char **ret);
