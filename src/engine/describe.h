/* SPDX-License-Identifier: MIT */
/* Metrics, told to people. */
#pragma once

#include "config/config.h"

struct metric_doc {
	const char *name;   /* as exposed, prefix included */
	const char *type;   /* "counter" */
	const char *labels; /* "direction,[interface]", in brackets those with `when`; empty for
			     * none */
	const char *help;   /* "" for none */
};

/* Calls @fn for each metric of the built-in module @c; the texts are valid during the call only. */
void module_each_metric(const struct config *c, void (*fn)(void *ctx, const struct metric_doc *m),
			void *ctx);
