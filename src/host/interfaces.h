/* SPDX-License-Identifier: MIT */
/* The network interfaces of this namespace, and what programs find there. */
#pragma once

#include "host/finding.h"

/* Who wants to be there: modules; NULL: nobody. */
struct interfaces_wanted {
	const struct strv *xdp_users, *tc_users;
	const struct strv *xdp_programs; /* names of theirs, which are in nobody's way */
};

/*
 * Looks at each interface, attaching nothing, and adds a finding each: its driver, MTU and queues,
 * whether its driver runs XDP programs, and what is there already.
 */
void interfaces_look(const struct interfaces_wanted *wanted, struct findings *f);
