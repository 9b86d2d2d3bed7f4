/* SPDX-License-Identifier: MIT */
/* A program at a cgroup, by a link (Linux 5.7), beside those of others. */
#pragma once

#include <stdint.h>

#include "base/error.h"

/*
 * @attach_type: enum bpf_attach_type. @path: a directory of cgroup2; NULL: the root of what is
 * mounted. *ret_fd is the link's and ends it; *ret_path is where it is, the caller's.
 */
int cgroup_attach(int prog_fd, uint32_t attach_type, const char *path, int *ret_fd, char **ret_path,
		  struct error *e);
