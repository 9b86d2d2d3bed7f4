/* SPDX-License-Identifier: MIT */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "base/error.h"

/*
 * Asks the daemon at the control socket @socket for @path. *ret is the caller's to json_decref().
 * Where no daemon listens the sentence says how to start one.
 */
int control_ask(const char *socket, const char *path, json_t **ret, struct error *e);

/* The same as text, which is left as it is: large, or to be passed on. When it refuses, @e is its
 * own sentence with its exit code. */
int control_ask_text(const char *socket, const char *path, struct buf *ret, struct error *e);

/*
 * Has it do what is at @path. When it refuses, @e is its own sentence with its exit code, and
 * @details gets the lines that go with it.
 */
int control_do(const char *socket, const char *path, json_t **ret, struct buf *details,
	       struct error *e);
