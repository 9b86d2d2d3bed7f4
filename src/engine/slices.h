/* SPDX-License-Identifier: MIT */
/*
 * Sampled probes (`sampled: OPTION`) are attached in slices: 200 ms out of a period that gives the
 * share of the time that the option says. Each gap between two slices is of random length around
 * its mean, so that slices lock onto no period of what is measured. All probes of a module that
 * share an option are attached and detached together, so that what they see is the same packets.
 * One that cannot be attached misses that slice, the others do not.
 *
 *	attached	█████               █████                  █████
 *			 200 ms   gap ± 50 %
 *
 * How long a probe was attached is counted: numbers of events in all the time are its counters
 * divided by the share that was observed. What a program keeps from one event to the next may be of
 * an earlier slice: it has to know by the age.
 *
 * Somebody who looks holds the probes of a module, which are attached all the time then: each call
 * of slices_hold() does it for a while, so that it ends by itself when the calls do. In the control
 * API that is GET /v1/hold?module=NAME, good for SLICES_HOLD_NS; asking for a table of the module
 * with a session (/v1/table) holds it as well.
 *
 *	slices_start → slices_run → slices_hold … → slices_stop
 */
#pragma once

#include "base/clock.h"
#include "engine/probe.h"

#define SLICES_HOLD_NS (10 * NSEC_PER_SEC)

/* After the probes of @u were attached, which is their first slice. 0 or -ENOMEM. */
int slices_start(struct unit *u);

/* Begins to detach and attach, in a thread of its own with the rights of the caller's; once. */
int slices_run(struct unit *u, struct error *e);

/* Before the placements are freed. */
void slices_stop(struct unit *u);

/* Any thread: keeps the sampled probes of module @name attached for SLICES_HOLD_NS from now. */
void slices_hold(struct unit *u, const char *name);

/* Any thread: how it stands with @p. */
struct slices_state {
	uint64_t observed_ns; /* how long it was attached, since the start */
	bool held;            /* somebody looks */
	bool failing;         /* it could not be attached for its last slice */
};
void slices_get_state(const struct unit *u, const struct probe *p, struct slices_state *ret);

/* Any thread: why @p could not be attached for its last slice, to be freed; NULL: it could. */
char *slices_get_failure(const struct unit *u, const struct probe *p);
