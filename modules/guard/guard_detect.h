/* SPDX-License-Identifier: MIT */
/*
 * What comes to each destination, against what usually comes: a moving average that stands still
 * while there is more than usual. Much more for some seconds is an attack, which ends when it has
 * been much less for some time: what goes up and down is not defended on and off.
 *
 * What is ordered is mild first. SYNs that nobody follows up are answered by cookies; of other
 * packets so large a share is dropped as is too much, at most the option drop_share, and none of
 * sources that have proven to be reachable.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guard.h"
#include "kernel/object.h"

enum {
	GUARD_DETECT_AVERAGE_S =
		300,               /* what is usual: in so many seconds two thirds of it is new */
	GUARD_DETECT_ENTER_S = 3,  /* over the limit for so long: an attack */
	GUARD_DETECT_SKETCH_S = 2, /* each half of the sketch counts for so long */
	GUARD_DETECT_DEFENDED_MAX = 64,
};

struct guard_detect_options {
	bool on;
	uint32_t factor;       /* times what is usual */
	uint32_t least;        /* packets a second; below that nothing is an attack */
	uint32_t least_syns;   /* likewise, SYNs */
	uint32_t hold_s;       /* how long less than half of the limit has to come */
	uint32_t longest_s;    /* after so long it is what is usual now */
	double drop_share_max; /* 0 … 1 */
	uint64_t learn_ns;     /* after the start, before anything is an attack */
};

/* A second's worth. */
struct guard_traffic {
	double packets;
	double syns;
	double acks;
	double new_sources;
};

enum guard_detect_event { GUARD_DETECT_NOTHING, GUARD_DETECT_BEGINS, GUARD_DETECT_ENDS };

/* A destination. All zero at first. */
struct guard_watch {
	struct guard_traffic usual;
	bool begun; /* its first second is over */
	bool seen;  /* `usual` is something */
	bool defended;
	bool by_syns;        /* what it is defended against */
	uint16_t over;       /* seconds over the limit, one after the other */
	uint32_t calm;       /* seconds under half of it, while it is defended */
	uint32_t defended_s; /* how long it has been */
};

enum guard_detect_may {
	GUARD_DETECT_LEARN,  /* whatever comes is usual */
	GUARD_DETECT_BEGIN,  /* an attack may begin */
	GUARD_DETECT_ENOUGH, /* as many are defended as may be */
};

/*
 * One second more: @now has come. What is to be ordered goes to *ret, all zero for nothing.
 */
enum guard_detect_event guard_watch_step(const struct guard_detect_options *o,
					 struct guard_watch *w, const struct guard_traffic *now,
					 enum guard_detect_may may, struct guard_defence *ret);

/* Above how many packets or SYNs a second it is too much. */
double guard_watch_limit(const struct guard_detect_options *o, const struct guard_watch *w,
			 bool of_syns);

struct guard;

struct guard_detect {
	struct map_info destinations;
	struct map_info defence;
	struct map_info sketch;
	unsigned cpus;
	struct guard_watch *watches;      /* by slot */
	struct guard_destination *totals; /* when last read */
	uint64_t started_ns, read_ns, flipped_ns;
	size_t defended;
};

int guard_detect_open(struct guard *g, const struct object *o, struct error *e);
void guard_detect_close(struct guard_detect *d);

/* Nothing is ordered: what an earlier daemon did, this one has not seen. */
int guard_detect_reset(struct guard *g);

/* Whether whatever comes is taken for usual still. */
bool guard_detect_learns(const struct guard *g, uint64_t now);

/* Once a second. */
int guard_detect_tick(struct guard *g, uint64_t now, struct error *e);
