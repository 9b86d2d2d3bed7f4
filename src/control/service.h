/* SPDX-License-Identifier: MIT */
/* The operations as routes of an HTTP server: each at its path, with JSON both ways. */
#pragma once

#include <stdbool.h>

#include "control/operation.h"
#include "http/server.h"

struct service {
	struct reloader *reloader;
	const struct operation *operation;
};

struct service_routes {
	struct service *items;
	struct http_route *routes;
	size_t count;
};

/*
 * For the control socket: all operations, for those that peer_check() lets in. What changes
 * something is logged with who did it. @reloader must outlive it. 0 or -ENOMEM.
 */
int service_routes_init(struct service_routes *s, struct reloader *reloader);

/* When the server has ended. */
void service_routes_free(struct service_routes *s);
