// SPDX-License-Identifier: MIT
#include "control/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/loop.h"

/* One operation that is being done. */
struct work {
	struct service *service;
	struct http_request *http;
	struct peer peer;
	struct operation_call call;
	struct loop_call in_loop;
	struct error error;
	int err;
};

static void work_free(void *ctx)
{
	struct work *w = ctx;

	operation_release(&w->call);
	free(w);
}

/* ---- asked ---- */

static int parse_arguments(struct work *w, const struct http_request *r)
{
	size_t len;
	const char *body = http_body(r, &len);

	return arguments_parse_request(http_query(r), body, len, &w->call.arguments, &w->error);
}

static int check_peer(struct work *w, const struct http_request *r)
{
	int err = peer_read(http_descriptor(r), &w->peer);
	char who[PEER_TEXT_MAX];

	if (err)
		return error_set(&w->error, -EACCES, "cannot tell who asks: %s", strerror(-err));
	w->call.peer = &w->peer;
	err = peer_check(&w->peer, &w->error);
	if (err && log_due(&w->service->denied_logged))
		log_warn("%s is not let in at the control socket", peer_text(&w->peer, who));
	return err;
}

static int prepare(struct work *w, struct service *s, const struct http_request *r)
{
	w->service = s;
	w->call.operation = s->operation;
	w->call.agent = s->reloader->agent;
	w->call.reloader = s->reloader;
	if (s->place == SERVICE_CONTROL_SOCKET)
		w->err = check_peer(w, r);
	if (!w->err)
		w->err = parse_arguments(w, r);
	return w->err;
}

/* ---- answered ---- */

static void add_details(struct work *w)
{
	const char *details = buf_str(&w->call.details);

	if (*details && json_is_object(w->call.answer))
		json_object_set_new(w->call.answer, "details", operation_text(details));
}

static json_t *describe(struct work *w, unsigned *ret_status)
{
	*ret_status = 200;
	if (w->err)
		return operation_failure(&w->error, buf_str(&w->call.details), ret_status);
	add_details(w);
	return json_incref(w->call.answer);
}

static void answer(struct work *w, struct http_request *r)
{
	unsigned status;
	json_t *json;
	char *text;

	if (!w->err && w->call.text.len) {
		http_respond(r, 200, "application/json", w->call.text.data, w->call.text.len);
		return;
	}
	json = describe(w, &status);
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	if (text)
		http_respond(r, status, "application/json", text, strlen(text));
	else
		http_respond_text(r, 503, "503: no memory\n");
	free(text);
}

/* ---- done ---- */

/* What an attacker of the log could do with line ends is not done. */
static void add_logged(struct buf *to, const char *text)
{
	for (; *text; text++)
		buf_add_char(to, (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
}

/* "/v1/guard/block network=192.0.2.1 for=10m" */
static void add_request(struct buf *to, const struct operation_call *c)
{
	buf_add_str(to, c->operation->path);
	for (size_t i = 0; i < c->arguments.count; i++) {
		const struct argument *a = &c->arguments.items[i];

		buf_add_char(to, ' ');
		add_logged(to, a->name);
		buf_add_char(to, '=');
		add_logged(to, a->value);
	}
}

static void log_change(const struct work *w)
{
	_cleanup_buf_ struct buf what = {0};
	char who[PEER_TEXT_MAX];
	unsigned status;

	if (!w->service->operation->changes)
		return;
	add_request(&what, &w->call);
	if (w->err)
		log_warn("%s by %s: refused (%s)", buf_str(&what), peer_text(&w->peer, who),
			 operation_failure_code(&w->error, &status));
	else if (!w->service->operation->logs_itself)
		log_info("%s by %s: done", buf_str(&what), peer_text(&w->peer, who));
}

/* In the loop's thread. */
static void run_in_loop(void *ctx)
{
	struct work *w = ctx;

	w->err = operation_run(&w->call, &w->error);
	log_change(w);
	http_resume(w->http);
}

static void answer_later(void *ctx, struct http_request *r)
{
	answer(ctx, r);
	work_free(ctx);
}

static void post(struct work *w, struct http_request *r)
{
	int err;

	w->http = r;
	w->in_loop = (struct loop_call){.fn = run_in_loop, .ctx = w};
	if (!http_suspend(r, (struct http_later){answer_later, work_free, w})) {
		work_free(w);
		return;
	}
	err = loop_post(w->call.agent->loop, &w->in_loop);
	if (err) { /* else it is the other thread's now */
		w->err = error_set(&w->error, err, "the daemon is stopping");
		http_resume(r);
	}
}

static void serve(void *ctx, struct http_request *r)
{
	struct service *s = ctx;
	struct work *w;

	if (s->place == SERVICE_WEB && !s->reloader->agent->web_api) {
		http_refuse(r, 404);
		return;
	}
	w = calloc(1, sizeof(*w));
	if (!w) {
		http_respond_text(r, 503, "503: no memory\n");
		return;
	}
	if (!prepare(w, s, r) && operation_in_loop(s->operation)) {
		post(w, r);
		return;
	}
	if (!w->err)
		w->err = operation_run(&w->call, &w->error);
	answer_later(w, r);
}

static const char *code_of(unsigned status)
{
	if (status == 404 || status == 405)
		return OPERATION_UNKNOWN;
	return status < 500 ? "usage" : "failed";
}

void service_refuse(struct http_request *r, unsigned status, const char *text)
{
	/* Without the status in front and the line end. */
	const char *sentence = strstr(text, ": ") ? strstr(text, ": ") + 2 : text;
	json_t *json = json_pack("{s:{s:s, s:s%, s:s, s:i}}", "error", "code", code_of(status),
				 "message", sentence, strcspn(sentence, "\n"), "hint",
				 "what can be asked: docs/api.md", "exit",
				 (int)(status < 500 ? EXIT_USAGE : EXIT_FAILED));
	char *body = json ? json_dumps(json, JSON_COMPACT) : NULL;

	if (body)
		http_respond(r, status, "application/json", body, strlen(body));
	else
		http_respond_text(r, status, text);
	free(body);
	json_decref(json);
}

/* ---- life ---- */

int service_routes_init(struct service_routes *s, struct reloader *reloader,
			enum service_place place)
{
	const struct operation *o;
	size_t n = 0;

	while (operation_at(n))
		n++;
	s->items = calloc(n, sizeof(*s->items));
	s->routes = calloc(n, sizeof(*s->routes));
	if (!s->items || !s->routes)
		return -ENOMEM;
	for (size_t i = 0; (o = operation_at(i)); i++) {
		struct service *item = &s->items[s->count];

		if (place == SERVICE_WEB && !operation_on_web(o))
			continue;
		*item = (struct service){reloader, o, place};
		s->routes[s->count++] = (struct http_route){
			.path = o->path,
			.handle = serve,
			.ctx = item,
			.method = o->changes ? HTTP_POST : HTTP_GET,
		};
	}
	return 0;
}

void service_routes_free(struct service_routes *s)
{
	free(s->items);
	free(s->routes);
	*s = (struct service_routes){0};
}
