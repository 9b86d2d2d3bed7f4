/* SPDX-License-Identifier: MIT */
/*
 * Interfaces that came and wait for their programs. Attaching takes as long as the kernel needs to
 * be sure that nobody is in the middle of the hook (an RCU grace period, about 10 ms), for each
 * interface and direction. So the event loop takes one at a time, and a thousand of them hold up
 * neither the start nor a signal.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arrivals {
	uint32_t *ids; /* struct link_info */
	size_t head;   /* the next to be taken */
	size_t count;  /* behind it, including it */
	size_t cap;
	int event_fd; /* readable while there is one */
};

int arrivals_open(struct arrivals *a);
void arrivals_close(struct arrivals *a);

/* Appends an interface; -ENOMEM. */
int arrivals_add(struct arrivals *a, uint32_t id);

/* Takes the first; false when there is none. */
bool arrivals_take(struct arrivals *a, uint32_t *ret_id);
