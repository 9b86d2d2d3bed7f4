/* SPDX-License-Identifier: MIT */
/* The event loop: descriptors and what to do when they are readable. For one thread. */
#pragma once

#include <stdint.h>

struct loop; /* opaque */

typedef void (*loop_fn)(void *ctx);

int loop_new(struct loop **ret);
void loop_free(struct loop *l);

/* Calls @fn(@ctx) whenever @fd is readable, until the loop is freed. @fd stays the caller's. */
int loop_add(struct loop *l, int fd, loop_fn fn, void *ctx);

/* Runs until loop_stop(); a negative errno when it cannot. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l);
