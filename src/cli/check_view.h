/* SPDX-License-Identifier: MIT */
/* What `wiregauge check` found, for people and for programs. */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "host/finding.h"

struct check_result {
	struct findings findings;
	unsigned counts[FINDING_STATES];
	enum exit_code exit;
	const char *reason; /* of the exit code, a sentence without its end */
};

/* Counts the findings of @r, and decides the exit code. */
void check_conclude(struct check_result *r);

/* @all: a line also for each of those that are told together while they are well. */
void check_print(const struct check_result *r, bool all);
void check_print_json(const struct check_result *r);
