/* SPDX-License-Identifier: MIT */
/*
 * What a running daemon can be asked: one row for each operation, in a file of its own that ends in
 * OPERATION(…). The control socket serves each at its path (GET → JSON).
 */
#pragma once

#include <jansson.h>

#include "engine/agent.h"

struct operation {
	const char *name;
	const char *path;    /* /v1/… */
	const char *summary; /* one line */
	/* The answer; NULL without memory. Must not wait. */
	json_t *(*run)(struct agent *a);
};

#define OPERATION(ident, ...)                                                                      \
	static const struct operation ident##_operation = {__VA_ARGS__};                           \
	static const struct operation *const ident##_operation_row                                 \
		__attribute__((used, section("wiregauge_operations"))) = &ident##_operation

/* Index from 0; NULL past the end. */
const struct operation *operation_at(size_t index);

/* The path at which the daemon listens unless told otherwise. */
#define CONTROL_SOCKET_DEFAULT "/run/wiregauge/control.sock"
