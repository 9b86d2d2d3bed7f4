// SPDX-License-Identifier: MIT
#include "control/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "control/service.h"

/* Half of them for one who asks, as the server has it: those that do are one to it. */
enum { CONNECTIONS_MAX = 2048 };

struct control_server {
	struct http_server *http;
	char *path;
	struct service_routes services;
};

int control_server_start(struct reloader *reloader, int listen_fd, const char *path,
			 struct control_server **ret, struct error *e)
{
	struct control_server *s = calloc(1, sizeof(*s));
	struct http_server_options options = {
		.listen_fd = listen_fd,
		.connections_max = CONNECTIONS_MAX,
		.refuse = service_refuse,
	};
	int err;

	if (!s || service_routes_init(&s->services, reloader, SERVICE_CONTROL_SOCKET) ||
	    !(s->path = strdup(path))) {
		control_server_stop(s);
		fd_close(listen_fd);
		return error_set(e, -ENOMEM, "no memory for the control socket");
	}
	options.routes = s->services.routes;
	options.n_routes = s->services.count;
	err = http_server_start(&options, &s->http, e);
	if (err) {
		control_server_stop(s);
		return err;
	}
	*ret = s;
	return 0;
}

void control_server_stop(struct control_server *s)
{
	if (!s)
		return;
	http_server_stop(s->http);
	if (s->path)
		unlink(s->path);
	free(s->path);
	service_routes_free(&s->services);
	free(s);
}
