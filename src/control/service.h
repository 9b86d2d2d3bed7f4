/* SPDX-License-Identifier: MIT */
/* The operations as routes of an HTTP server: each at its path, with JSON both ways. */
#pragma once

#include <stdbool.h>

#include "control/operation.h"
#include "http/server.h"

enum service_place {
	/* All operations, for those that peer_check() lets in. What changes something is logged
	 * with who did it. */
	SERVICE_CONTROL_SOCKET,
	/* What only looks, for whoever the listener lets in, while agent->web_api is set. */
	SERVICE_WEB,
};

struct service {
	struct reloader *reloader;
	const struct operation *operation;
	enum service_place place;
	uint64_t denied_logged; /* log_due() */
};

struct service_routes {
	struct service *items;
	struct http_route *routes;
	size_t count;
};

/* @reloader must outlive it. 0 or -ENOMEM; service_routes_free() in any case. */
int service_routes_init(struct service_routes *s, struct reloader *reloader,
			enum service_place place);

/* For http_server_options: what is no operation is refused in the same form as by one. */
void service_refuse(struct http_request *r, unsigned status, const char *text);

/* When the server has ended. */
void service_routes_free(struct service_routes *s);
