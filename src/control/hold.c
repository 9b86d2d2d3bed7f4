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
	const char *module = operation_text_of(c, "module");
	struct agent *a = c->agent;
	bool found = false;

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

static const struct operation_argument arguments[] = {
	{"module", "MODULE", "The name of a module or config", .required = true},
};

OPERATION(hold, .path = "/v1/hold", .arguments = arguments, .n_arguments = ARRAY_SIZE(arguments),
	  .local = true,
	  .summary = "Keep what a module samples attached for ten seconds, as somebody looks",
	  .answer = "`{\"seconds\": number}`: for how long", .run = run_hold);
