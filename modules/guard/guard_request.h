/* SPDX-License-Identifier: MIT */
/* What the operations that change something have in common: who asks, --force, --confirm, and a
 * sentence for each change in the log. */
#pragma once

#include "control/operation.h"
#include "guard_state.h"

struct guard_request {
	struct guard *g;
	struct operation_call *call;
	bool force;
	uint64_t confirm_ns; /* 0: not asked for */
	char by[PEER_TEXT_MAX];
	uint32_t last_id; /* of what waits to be confirmed; 0: nothing does */
	size_t changed;
};

#define GUARD_ARGUMENT_CONFIRM                                                                     \
	{                                                                                          \
		.name = "confirm", .placeholder = "TIME", .type = ARGUMENT_DURATION,               \
		.help = "Take it back after that time, unless: wiregauge guard confirm"            \
	}
#define GUARD_ARGUMENT_FORCE                                                                       \
	{                                                                                          \
		.name = "force", .type = ARGUMENT_FLAG,                                            \
		.help = "Also what cuts off an SSH session, a gateway, a DNS or time server"       \
	}

void guard_request_begin(struct operation_call *c, struct guard_request *ret);

/* The network of argument @v; -EINVAL for one that cannot be had. */
int guard_request_network(const struct operation_value *v, struct guard_prefix *ret,
			  struct error *e);

/* -EBUSY, with whom that are protected a rule to @verb @network would @effect, "cut off", unless
 * --force is given; that of the option protect also then. */
int guard_request_check(struct guard_request *r, const char *verb, const char *effect,
			const struct guard_prefix *network, struct error *e);

/* Makes @wanted so, logged as @action for @why. What is so already is no change. */
int guard_request_change(struct guard_request *r, const struct guard_change *wanted,
			 const char *action, const char *why, struct error *e);

/* The answer: @sentence, and how to keep it where it is taken back else. */
void guard_request_done(struct guard_request *r, const char *sentence);
