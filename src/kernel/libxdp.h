/* SPDX-License-Identifier: MIT */
/*
 * libxdp, loaded when it is first asked for, as most hosts have no use for it: what is used of it,
 * by the names that it has there (libxdp(3)). Its structures are opaque.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct xdp_program;
struct xdp_multiprog; /* a dispatcher and what is in it */

/* enum xdp_attach_mode of <xdp/libxdp.h> */
enum libxdp_mode { LIBXDP_NATIVE = 1, LIBXDP_GENERIC = 2 };

struct libxdp {
	/* Pointers may be errors: get_error() is a negative errno then, else 0. */
	long (*get_error)(const void *pointer);
	struct xdp_program *(*open_file)(const char *path, const char *section, const void *opts);
	int (*set_run_prio)(struct xdp_program *p, unsigned int priority);
	/* From 1.3.0, else NULL: that the program takes packets of several buffers. */
	int (*set_frags)(struct xdp_program *p, bool frags);
	int (*attach)(struct xdp_program *p, int ifindex, int mode, unsigned int flags);
	int (*detach)(struct xdp_program *p, int ifindex, int mode, unsigned int flags);
	int (*program_fd)(const struct xdp_program *p);
	void (*close_program)(struct xdp_program *p);
	struct xdp_multiprog *(*dispatcher_of)(int ifindex);
	int (*dispatcher_mode)(const struct xdp_multiprog *d); /* enum libxdp_mode */
	/* NULL: the first; of a program that is no dispatcher there is none. */
	struct xdp_program *(*next_program)(const struct xdp_program *p,
					    const struct xdp_multiprog *d);
	void (*close_dispatcher)(struct xdp_multiprog *d);
};

/* NULL with -EOPNOTSUPP in @e where the host has no libxdp, or too old a one. */
const struct libxdp *libxdp_load(struct error *e);

/* Fills @e with what @code, of a function of libxdp's, means, and what that warned of since
 * libxdp_forget(). */
void libxdp_error(int code, struct error *e);
void libxdp_forget(void);
