/* SPDX-License-Identifier: MIT */
/* The event loop: descriptors and what to do when they are readable. For one thread; only
 * loop_post() is for others. */
#pragma once

#include <stdint.h>

struct loop; /* opaque */

typedef void (*loop_fn)(void *ctx);

int loop_new(struct loop **ret);
void loop_free(struct loop *l);

/* Calls @fn(@ctx) whenever @fd is readable, until the loop is freed. @fd stays the caller's. */
int loop_add(struct loop *l, int fd, loop_fn fn, void *ctx);

/* Something to be done in the loop's thread; in memory of whoever asks until it is. */
struct loop_call {
	loop_fn fn;
	void *ctx;
	struct loop_call *next;
};

/* Calls @call->fn in the loop's thread, from any thread. -ESHUTDOWN when the loop takes no more. */
int loop_post(struct loop *l, struct loop_call *call);

/* Takes no more calls, and does those that were taken: once the loop has stopped, or before it has
 * ever run. */
void loop_drain(struct loop *l);

/* Runs until loop_stop(); a negative errno when it cannot. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l);
