/* SPDX-License-Identifier: MIT */
/*
 * Commands that are made out of the rows of operations. An answer that is a sentence or a table is
 * shown as such, any other as its fields; where people should see more than that, a file that ends
 * in OPERATION_VIEW(…) writes it, here or in a module's folder.
 */
#pragma once

#include "cli/command.h"
#include "control/operation.h"

/* The command of @o, also one that is written by hand; NULL when it has none. */
const struct command *operation_command(const struct operation *o);

struct operation_view {
	const char *operation; /* its path */
	void (*print)(const json_t *answer);
};

#define OPERATION_VIEW(ident, ...)                                                                 \
	static const struct operation_view ident##_view = {__VA_ARGS__};                           \
	static const struct operation_view *const ident##_view_row                                 \
		__attribute__((used, section("wiregauge_views"))) = &ident##_view
