/* SPDX-License-Identifier: MIT */
/* Showing something again and again, until Ctrl-C. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

struct watch {
	double seconds; /* from one time to the next */
	bool screen;    /* stdout is a terminal, to be drawn anew; else one after the other */
};

/* Appends what to show now; a negative errno ends the watch. */
typedef int (*watch_fn)(void *ctx, struct buf *out, struct error *e);

/* 0 when the person ends it, or whoever reads has gone; what @fn gave back. */
int watch_run(const struct watch *w, watch_fn fn, void *ctx, struct error *e);

/* Seconds of --watch[=SECONDS]: 0.1 to an hour; 2 without a value. */
int watch_parse(const char *text, double *ret, struct error *e);
