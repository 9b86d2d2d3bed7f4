/* SPDX-License-Identifier: MIT */
/*
 * Probes: what is measured, by the first of several ways that this kernel offers. A way is out when
 * the kernel is known not to have what it needs, when one of its programs is not loaded, or when
 * one cannot be attached; then it is the next one's turn. That is decided once, when the unit
 * starts.
 *
 *	probes_build → probes_choose → (load → probes_attach)… → probes_free
 */
#pragma once

#include "config/sampling.h"
#include "engine/unit.h"

enum probe_state {
	PROBE_OFF,    /* its `when` is, or its sampling */
	PROBE_USED,   /* by the way that is chosen */
	PROBE_ABSENT, /* this kernel has no way for it */
};

/* Why a way is not used. */
struct probe_failure {
	char *text;   /* NULL: it was not tried, or did not fail */
	bool refused; /* the kernel has what it needs, and did not take the program */
};

struct probe {
	const struct probe_config *config;
	const struct module *module;
	struct sampling sampling;
	enum probe_state state;
	size_t way;                     /* of config->ways, while it is used */
	struct probe_failure *failures; /* one for each way */
};

/* Makes u->probes, and tells u->programs of them, before the placements are built. */
int probes_build(struct unit *u, struct report *report);
void probes_free(struct unit *u);

/* Checks the programs of the probes of @c against those of @o: -EINVAL, or 0. */
int probes_check(const struct config *c, const struct object *o, struct report *report);

/* Leaves out the ways of which it can be known beforehand. Only what is scarce is an error. */
int probes_choose(struct unit *u, struct error *e);

/* Whether @program is one of the way that is used. */
bool probe_uses(const struct probe *p, const char *program);

/*
 * The way that is used is out because of @program: the next one's turn. An error is given back
 * strictly when there is none left though the kernel could have had one, and for what is scarce.
 */
int probe_fail(struct unit *u, struct probe *p, const char *program, const struct error *why,
	       struct error *e);

/*
 * Attaches the programs of all probes that are at no interface. *ret_again: some way failed, all
 * is detached, and the object has to be loaded anew.
 */
int probes_attach(struct unit *u, bool *ret_again, struct error *e);

/* Says in the log, once for the unit, what is not on this kernel. */
void probes_tell(const struct unit *u);

/* Whether all programs of the way that is used are where they should be. */
bool probe_attached(const struct unit *u, const struct probe *p);

/* The name of the way that is used; "none" when there is none. */
const char *probe_mechanism(const struct probe *p);
