/* SPDX-License-Identifier: MIT */
/* What is declared, in the configuration as it is now on disk, against what runs. */
#pragma once

#include "base/error.h"

struct agent;

struct difference {
	const char *module;
	const char *what;     /* "option mode", "network 192.0.2.0/24" */
	const char *declared; /* NULL: it is not */
	const char *running;  /* likewise */
};

typedef void (*difference_fn)(void *ctx, const struct difference *d);

/*
 * Calls @add for each difference; its texts are gone afterwards. Modules and options are compared
 * here, what else a module is told in its configuration by its part (part.h: diff). In the loop's
 * thread; -EINVAL when the configuration is wrong.
 */
int agent_diff(struct agent *a, difference_fn add, void *ctx, struct error *e);
