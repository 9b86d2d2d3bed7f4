// SPDX-License-Identifier: MIT
#include "control/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "control/operation.h"

/* Whoever may open the socket is root's. */
enum { CONNECTIONS_MAX = 128 };

/* An operation at its path. */
struct service {
	struct agent *agent;
	struct reloader *reloader;
	const struct operation *operation;
};

struct control_server {
	struct http_server *http;
	char *path;
	struct service *services;
	struct http_route *routes;
};

/* One operation that is being done. */
struct work {
	const struct service *service;
	struct http_request *http;
	struct operation_call call;
	struct loop_call in_loop;
	struct error error;
	int err;
};

static void work_release(struct work *w)
{
	json_decref(w->call.answer);
	buf_free(&w->call.text);
	arguments_free(&w->call.arguments);
	buf_free(&w->call.details);
}

static void work_do(struct work *w)
{
	w->call.agent = w->service->agent;
	w->call.reloader = w->service->reloader;
	w->err = w->service->operation->run(&w->call, &w->error);
}

/* What was answered, or why nothing was: error, exit code, and lines for a person. */
static json_t *describe(struct work *w)
{
	if (!w->err)
		return json_incref(w->call.answer);
	return json_pack("{s:o, s:i, s:o}", "error", operation_text(w->error.text), "exit",
			 (int)w->error.exit, "details", operation_text(buf_str(&w->call.details)));
}

static void answer(struct work *w, struct http_request *r)
{
	json_t *json;
	char *text;

	if (!w->err && w->call.text.len) {
		http_respond(r, 200, "application/json", w->call.text.data, w->call.text.len);
		return;
	}
	json = describe(w);
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	if (text)
		http_respond(r, w->err ? 422 : 200, "application/json", text, strlen(text));
	else
		http_respond_text(r, 503, "503: no memory\n");
	free(text);
}

static void serve_look(void *ctx, struct http_request *r)
{
	struct work w = {.service = ctx};

	w.err = arguments_parse(http_query(r), &w.call.arguments, &w.error);
	if (!w.err)
		work_do(&w);
	answer(&w, r);
	work_release(&w);
}

/* In the loop's thread. */
static void change(void *ctx)
{
	struct work *w = ctx;

	work_do(w);
	http_resume(w->http);
}

static void drop_change(void *ctx)
{
	struct work *w = ctx;

	work_release(w);
	free(w);
}

static void answer_change(void *ctx, struct http_request *r)
{
	answer(ctx, r);
	drop_change(ctx);
}

static void serve_change(void *ctx, struct http_request *r)
{
	struct work *w = calloc(1, sizeof(*w));
	int err;

	if (!w) {
		http_respond_text(r, 503, "503: no memory\n");
		return;
	}
	w->service = ctx;
	w->http = r;
	w->in_loop = (struct loop_call){.fn = change, .ctx = w};
	if (!http_suspend(r, (struct http_later){answer_change, drop_change, w})) {
		free(w);
		return;
	}
	err = loop_post(w->service->agent->loop, &w->in_loop);
	if (err) { /* else it is the other thread's now */
		w->err = error_set(&w->error, err, "the daemon is stopping");
		http_resume(r);
	}
}

static int make_routes(struct control_server *s, struct reloader *reloader, size_t *ret_count)
{
	size_t n = 0;

	while (operation_at(n))
		n++;
	s->services = calloc(n, sizeof(*s->services));
	s->routes = calloc(n, sizeof(*s->routes));
	if (!s->services || !s->routes)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct operation *o = operation_at(i);

		s->services[i] = (struct service){reloader->agent, reloader, o};
		s->routes[i] = (struct http_route){
			.path = o->path,
			.handle = o->changes ? serve_change : serve_look,
			.ctx = &s->services[i],
			.method = o->changes ? HTTP_POST : HTTP_GET,
		};
	}
	*ret_count = n;
	return 0;
}

int control_server_start(struct reloader *reloader, int listen_fd, const char *path,
			 struct control_server **ret, struct error *e)
{
	struct control_server *s = calloc(1, sizeof(*s));
	struct http_server_options options = {
		.listen_fd = listen_fd,
		.connections_max = CONNECTIONS_MAX,
	};
	int err;

	if (!s || make_routes(s, reloader, &options.n_routes) || !(s->path = strdup(path))) {
		control_server_stop(s);
		fd_close(listen_fd);
		return error_set(e, -ENOMEM, "no memory for the control socket");
	}
	options.routes = s->routes;
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
	free(s->services);
	free(s->routes);
	free(s);
}
