// SPDX-License-Identifier: MIT
#include "control/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "control/operation.h"
#include "http/server.h"

/* Whoever may open the socket is root's. */
enum { CONNECTIONS_MAX = 128 };

struct call {
	struct agent *agent;
	const struct operation *operation;
};

struct control_server {
	struct http_server *http;
	char *path;
	struct call *calls;
	struct http_route *routes;
};

static void serve_operation(void *ctx, struct http_request *r)
{
	const struct call *call = ctx;
	json_t *answer = call->operation->run(call->agent);
	_cleanup_free_ char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;

	json_decref(answer);
	if (text)
		http_respond(r, 200, "application/json", text, strlen(text));
	else
		http_respond_text(r, 503, "503: no memory\n");
}

static int make_routes(struct control_server *s, struct agent *a, size_t *ret_count)
{
	size_t n = 0;

	while (operation_at(n))
		n++;
	s->calls = calloc(n, sizeof(*s->calls));
	s->routes = calloc(n, sizeof(*s->routes));
	if (!s->calls || !s->routes)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		s->calls[i] = (struct call){a, operation_at(i)};
		s->routes[i] = (struct http_route){.path = operation_at(i)->path,
						   .handle = serve_operation,
						   .ctx = &s->calls[i]};
	}
	*ret_count = n;
	return 0;
}

int control_server_start(struct agent *a, int listen_fd, const char *path,
			 struct control_server **ret, struct error *e)
{
	struct control_server *s = calloc(1, sizeof(*s));
	size_t n_routes;
	int err;

	if (!s || make_routes(s, a, &n_routes) || !(s->path = strdup(path))) {
		control_server_stop(s);
		fd_close(listen_fd);
		return error_set(e, -ENOMEM, "no memory for the control socket");
	}
	err = http_server_start(&(struct http_server_options){.listen_fd = listen_fd,
							      .connections_max = CONNECTIONS_MAX,
							      .routes = s->routes,
							      .n_routes = n_routes},
				&s->http, e);
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
	free(s->calls);
	free(s->routes);
	free(s);
}
