/* SPDX-License-Identifier: MIT */
/* What the daemon says of itself: programs, configs, its process. Names as ebpf_exporter has
 * them. */
#pragma once

#include "engine/agent.h"
#include "engine/describe.h"

/* Fills agent->own_families. */
int selfmetrics_init(struct agent *a);
void selfmetrics_free(struct agent *a);

/* What they are, from index 0; false past the end. */
bool selfmetrics_describe(size_t index, struct metric_doc *ret);
