// SPDX-License-Identifier: MIT
/* Somebody looks at a module: its sampled probes are attached all the time, for a while. */
#include <string.h>

#include "control/operation.h"
#include "engine/slices.h"

static bool has_module(const struct unit *u, const char *name)
{
	for (size_t i = 0; i < u->plan->n_modules; i++) {
		if (STREQ(u->plan->modules[i].config->name, name))
			return true;
	}
	return false;
}

static int run_hold(struct operation_call *c, struct error *e)
{
	const char *module = arguments_find(&c->arguments, "module");
	struct agent *a = c->agent;
	bool found = false;

	if (!module)
		return error_set_usage(e, "of which module? ?module=NAME");
	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < a->n_units; i++) {
		found |= has_module(a->units[i], module);
		slices_hold(a->units[i], module);
	}
	pthread_mutex_unlock(&a->lock);
	if (!found)
		return error_set_usage(e, "the daemon runs no module '%s'", module);
	c->answer = json_pack("{s:f}", "seconds", (double)SLICES_HOLD_NS / (double)NSEC_PER_SEC);
	return 0;
}

OPERATION(hold, .name = "hold", .path = "/v1/hold",
	  .summary = "keep what a module samples attached for ten seconds: module",
	  .run = run_hold);
