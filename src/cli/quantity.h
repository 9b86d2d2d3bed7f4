/* SPDX-License-Identifier: MIT */
/* Numbers as people read them: 1.23 GB, 3.4 ms, 12.3 kpps. Three digits, decimal prefixes. */
#pragma once

#include <stdbool.h>

struct quantity {
	char text[32];
};

/* @unit as the config language names it (config.h, enum column_unit); @rate: so many a second. */
struct quantity quantity_format(double number, const char *unit, bool rate);

/* "954 ns", "3.4 ms", "12.0 s", "2m05s", "1h02m", "3d04h" */
struct quantity quantity_seconds(double seconds);
