/* SPDX-License-Identifier: MIT */
/* A program at a hook of netfilter (Linux 6.4), by a link, which goes away with its descriptor. */
#pragma once

#include "base/error.h"
#include "kernel/compat.h"

/*
 * A priority has room for one BPF program: when there is one, the next that is free is taken, and
 * where->priority says which. -EOPNOTSUPP where the kernel has no such links. The link's
 * descriptor, or a negative errno.
 */
int netfilter_attach(int prog_fd, struct compat_netfilter *where, struct error *e);
