/* SPDX-License-Identifier: MIT */
#pragma once

#include <jansson.h>

#include "base/error.h"

/*
 * Asks the daemon at the control socket @socket for @path. *ret is the caller's to json_decref().
 * Where no daemon listens the sentence says how to start one.
 */
int control_ask(const char *socket, const char *path, json_t **ret, struct error *e);
