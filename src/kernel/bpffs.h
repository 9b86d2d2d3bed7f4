/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/*
 * Where a bpffs is (what is pinned in it outlives the process), into memory of the caller's:
 * /sys/fs/bpf, else wherever one is mounted. Where none is, with @mount it is mounted at
 * /sys/fs/bpf, unless that would be in a mount namespace that ends with this process; without,
 * -ENOENT.
 */
int bpffs_find(bool mount, char **ret, struct error *e);
