/* SPDX-License-Identifier: MIT */
/*
 * Limits as people write them, and as the kernel keeps them: no division there, so that what a
 * packet costs is worked out here, in fixed point.
 *
 *	10.0.0.0/8 20mbit 5kpps		each source in that network
 *	53/udp 10kpps			all packets to that port together
 *	sources 100kpps			each source that no network's limit is about
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "guard.h"
#include "guard_books.h"

#define GUARD_TARGET_TAKES "a network such as 10.0.0.0/8, a port such as 53/udp, or sources"

enum {
	GUARD_LEAST_BITS = 1000, /* a second; what is less is meant as a block */
	GUARD_LEAST_PACKETS = 1,
};

/* What is allowed a second; 0: as much as comes. */
bool guard_target_parse(const char *text, struct guard_target *ret);
void guard_target_add_text(const struct guard_target *t, struct buf *text);

/* A rate into the one of the two that it is of; false, with a sentence, where it cannot be. */
int guard_amount_parse(const char *text, struct guard_amount *into, struct error *e);
void guard_amount_add_text(const struct guard_amount *a, struct buf *text);

/* "TARGET RATE [RATE]", as above. */
int guard_limit_parse(const char *text, struct guard_target *target, struct guard_amount *amount,
		      struct error *e);

/*
 * As the kernel has it. What came in GUARD_BURST_NS may come at once, or GUARD_BURST_PACKETS and
 * GUARD_BURST_BYTES where that is more: a rate of ten packets a second is not one of a packet each
 * 100 ms. Costs are rounded up: never more than the rate passes.
 */
#define GUARD_BURST_NS UINT64_C(100000000)
enum { GUARD_BURST_PACKETS = 10, GUARD_BURST_BYTES = 32 << 10 };
struct guard_rate guard_amount_rate(const struct guard_amount *a);

/* The same for all CPUs together, @cpus of them, each of which draws ahead. */
struct guard_port_limit guard_amount_port_limit(const struct guard_amount *a, unsigned cpus);
