/* SPDX-License-Identifier: MIT */
/* How much of the time a probe is attached. */
#pragma once

#include <stdbool.h>

struct sampling {
	enum { SAMPLING_OFF, SAMPLING_SLICES, SAMPLING_ALWAYS } kind;
	double share; /* of the time: 0 when off, 1 when always */
};

/* What it takes, for sentences about a text that is none of them. */
#define SAMPLING_TAKES "off, always, or a share of the time from 0.001% to 100%, like 2%"

/* "off", "always" or "2%". */
bool sampling_parse(const char *text, struct sampling *ret);
