/* SPDX-License-Identifier: MIT */
#pragma once

#include "config/report.h"

/* The file at @path as a source. Whatever keeps it from being read (missing, a directory, too big)
 * is an error in @r and -EINVAL; else -ENOMEM. */
int source_read(const char *path, struct report *r, struct source *ret);
