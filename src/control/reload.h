/* SPDX-License-Identifier: MIT */
/* Reading the configuration again, all of it, whether by SIGHUP or by `wiregauge config reload`. */
#pragma once

#include "control/sandbox.h"
#include "engine/agent.h"
#include "http/server.h"

struct reloader {
	struct agent *agent;
	const char *web_config;  /* NULL: there is none */
	struct http_server *web; /* whom that is for */
	const struct sandbox *sandbox;
};

/*
 * With anything wrong, all stays as it was. It is logged either way, and @e says how it ended,
 * whether well or not; @details gets what is wrong, with its place, for the person who asked. In
 * the thread of the agent's loop.
 */
int reload_run(struct reloader *r, struct buf *details, struct error *e);

/* "3 modules, 1 broken" */
const char *reload_count_modules(const struct agent *a, char *text, size_t size);
