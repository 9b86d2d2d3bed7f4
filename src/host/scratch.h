/* SPDX-License-Identifier: MIT */
/*
 * A network namespace of this process's own, with a veth pair in it, to try in what would disturb
 * others elsewhere. Nobody else knows it, and all of it ends with the process, however that ends.
 */
#pragma once

#include <net/if.h>
#include <stdint.h>

#include "base/error.h"

struct scratch {
	uint32_t ifindex; /* of one end of the pair, which is up */
	char name[IF_NAMESIZE];
};

/*
 * Takes this process there for the rest of its life. Before there are other threads. -EPERM without
 * CAP_SYS_ADMIN and CAP_NET_ADMIN.
 */
int scratch_enter(struct scratch *ret, struct error *e);
