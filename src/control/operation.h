/* SPDX-License-Identifier: MIT */
/*
 * What a running daemon can be asked: one row for each operation, in a file of its own that ends in
 * OPERATION(…). The control socket serves each at its path: those that only look as GET → JSON,
 * those that change something as POST → JSON.
 */
#pragma once

#include <jansson.h>

#include "control/arguments.h"
#include "control/reload.h"

struct operation_call {
	struct agent *agent;
	struct reloader *reloader;
	struct arguments arguments;
	json_t *answer;     /* to be filled, or: */
	struct buf text;    /* the same written out, where it is large */
	struct buf details; /* lines for a person, also when it fails */
};

struct operation {
	const char *name;
	const char *path;    /* /v1/… */
	const char *summary; /* one line */
	bool changes; /* runs in the agent's loop; else in the server's thread: must not wait */
	int (*run)(struct operation_call *c, struct error *e);
};

#define OPERATION(ident, ...)                                                                      \
	static const struct operation ident##_operation = {__VA_ARGS__};                           \
	static const struct operation *const ident##_operation_row                                 \
		__attribute__((used, section("wiregauge_operations"))) = &ident##_operation

/* Index from 0; NULL past the end. */
const struct operation *operation_at(size_t index);

/* @text as JSON, which takes UTF-8 only: names of interfaces are any bytes, and an error may be cut
 * within a character. */
json_t *operation_text(const char *text);

/* The path at which the daemon listens unless told otherwise. */
#define CONTROL_SOCKET_DEFAULT "/run/wiregauge/control.sock"
