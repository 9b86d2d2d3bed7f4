/* SPDX-License-Identifier: MIT */
/* Maps whose value is many entries (`rows:` of a metric): an array of sets, of structs. */
#pragma once

#include "config/config.h"
#include "kernel/object.h"

/*
 * Makes *@map, as the object has it, a map of rows if @metric says that it is one: a reader then
 * finds the rows as if each were an entry of its own. What does not go together is told to @report
 * at its place (-EINVAL). Nothing to do for all other metrics, and for the same map again.
 */
int rows_apply(const struct metric_config *metric, const struct source *source,
	       struct map_info *map, struct report *report);
