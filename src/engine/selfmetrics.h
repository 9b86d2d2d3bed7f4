/* SPDX-License-Identifier: MIT */
/* What the daemon says of itself: programs, configs, its process. Names as ebpf_exporter has
 * them. */
#pragma once

#include "engine/agent.h"

/* Fills agent->own_families. */
int selfmetrics_init(struct agent *a);
void selfmetrics_free(struct agent *a);
