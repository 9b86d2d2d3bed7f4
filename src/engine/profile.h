/* SPDX-License-Identifier: MIT */
/*
 * The profile of kernel parameters: what modules say of them in their manifests (`sysctls:`), and
 * what all of them want, one row a parameter. What the kernel does not have is in it, and said to
 * be missing.
 */
#pragma once

#include "base/buf.h"
#include "base/strv.h"
#include "base/sysctl.h"
#include "engine/plan.h"

struct profile_row {
	const char *name;
	enum sysctl_rule rule;
	const char *wanted; /* the strictest of those who ask */
	const char *why;    /* of the first who asks */
	const char *source;
	struct strv modules; /* who asks; none: it is for all */
	struct buf current;  /* as it was read */
	struct buf correct;  /* what it should be; the same where it is as it should be */
	int error;           /* of reading it: -ENOENT: there is none */
	bool differs;
};

struct profile {
	struct plans plans; /* whose texts the rows have */
	struct profile_row *rows;
	size_t count;
};

/* For the modules that @options choose. profile_free() in any case. */
int profile_build(const struct plan_options *options, struct profile *ret, struct error *e);
void profile_free(struct profile *p);
