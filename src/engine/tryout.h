/* SPDX-License-Identifier: MIT */
/*
 * Tryouts: plans are loaded and attached for a moment as a daemon would do it, but for what others
 * would notice, and what came of it is said module by module.
 */
#pragma once

#include "decode/hostnames.h"
#include "engine/plan.h"
#include "host/finding.h"
#include "host/scratch.h"
#include "kernel/tc.h"

struct tryout_options {
	const char *btf_path;
	struct hostnames *host;
	const struct scratch
		*scratch;          /* where programs go that are for interfaces; NULL: nowhere */
	const struct error *error; /* why it is NULL */
};

/*
 * Tries all of @plans, which are taken over one by one, and adds to @f how each module and each
 * probe fares. @needed: these are to run here. In the network namespace of options->scratch.
 */
int tryout_run(const struct tryout_options *options, struct plans *plans, bool needed,
	       struct findings *f, struct error *e);
