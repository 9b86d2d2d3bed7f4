/* SPDX-License-Identifier: MIT */
/* What the TCP listener serves: the metrics, a page for people, and with --debug the raw maps. */
#pragma once

#include "engine/agent.h"
#include "http/server.h"

struct pages {
	struct agent *agent;
	const char *telemetry_path;
	struct http_route routes[3];
	size_t n_routes;
	struct metrics_request *spare; /* the server's thread's */
};

/* Fills @p->routes. @telemetry_path must outlive it. */
void pages_init(struct pages *p, struct agent *agent, const char *telemetry_path, bool debug);

/* After the server has ended. */
void pages_free(struct pages *p);
