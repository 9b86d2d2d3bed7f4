// SPDX-License-Identifier: MIT
#include "http/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"

/* Idle or slow clients must not keep others out: there are many places, and silence ends soon. */
#define CONNECTIONS_MAX 2048
#define SILENCE_MAX_SEC 5

/* For one connection's request and reply headers. A request that does not fit is refused. */
#define CONNECTION_MEMORY (16U << 10)

struct http_server {
	struct MHD_Daemon *daemon;
	const struct http_route *routes;
	size_t n_routes;
	pthread_mutex_t lock;
	pthread_cond_t none_suspended;
	unsigned suspended;
	bool stopping;
};

struct http_request {
	struct http_server *server;
	struct MHD_Connection *connection;
	struct http_later
		later; /* `ready` is set from http_suspend() until one of the two is called */
	bool routed;
};

static const struct http_route *find_route(const struct http_server *s, const char *path)
{
	for (size_t i = 0; i < s->n_routes; i++) {
		if (STREQ(s->routes[i].path, path))
			return &s->routes[i];
	}
	return NULL;
}

static void queue(struct http_request *r, unsigned status, struct MHD_Response *response)
{
	if (!response)
		return; /* no memory: MHD closes the connection */
	MHD_queue_response(r->connection, status, response);
	MHD_destroy_response(response);
}

void http_respond(struct http_request *r, unsigned status, const char *type, const void *body,
		  size_t len)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(len, (void *)body, MHD_RESPMEM_MUST_COPY);

	if (response)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (response && status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	queue(r, status, response);
}

void http_respond_text(struct http_request *r, unsigned status, const char *text)
{
	http_respond(r, status, "text/plain; charset=utf-8", text, strlen(text));
}

void http_respond_from(struct http_request *r, const char *type, const char *encoding,
		       const void *body, size_t len, void (*release)(void *ctx), void *ctx)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer_with_free_callback_cls(len, (void *)body, release,
								       ctx);

	if (!response) {
		release(ctx);
		return;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept, Accept-Encoding");
	if (encoding)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, encoding);
	queue(r, MHD_HTTP_OK, response);
}

bool http_suspend(struct http_request *r, struct http_later later)
{
	struct http_server *s = r->server;
	bool stopping;

	pthread_mutex_lock(&s->lock);
	stopping = s->stopping;
	s->suspended += !stopping;
	pthread_mutex_unlock(&s->lock);
	if (stopping) {
		http_respond_text(r, MHD_HTTP_SERVICE_UNAVAILABLE, "stopping\n");
		return false;
	}
	r->later = later;
	MHD_suspend_connection(r->connection);
	return true;
}

void http_resume(struct http_request *r)
{
	struct http_server *s = r->server;

	MHD_resume_connection(r->connection);
	pthread_mutex_lock(&s->lock);
	if (--s->suspended == 0)
		pthread_cond_broadcast(&s->none_suspended);
	pthread_mutex_unlock(&s->lock);
}

const char *http_header(struct http_request *r, const char *name)
{
	return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

static void route(struct http_request *r, const char *path, const char *method)
{
	const struct http_route *to = find_route(r->server, path);

	if (!to)
		http_respond_text(r, MHD_HTTP_NOT_FOUND, "404: there is nothing here; see /\n");
	else if (!STREQ(method, MHD_HTTP_METHOD_GET) && !STREQ(method, MHD_HTTP_METHOD_HEAD))
		http_respond_text(r, MHD_HTTP_METHOD_NOT_ALLOWED, "405: only GET and HEAD\n");
	else
		to->handle(to->ctx, r);
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *path,
				  const char *method, const char *version, const char *data,
				  size_t *data_len, void **state)
{
	struct http_request *r = *state;

	(void)version;
	(void)data;
	if (!r) { /* the headers are there; the body, if any, comes */
		r = calloc(1, sizeof(*r));
		if (!r)
			return MHD_NO;
		r->server = ctx;
		r->connection = connection;
		*state = r;
		return MHD_YES;
	}
	if (*data_len) { /* nothing here takes a body: read it and forget it */
		*data_len = 0;
		return MHD_YES;
	}
	if (r->later.ready) {
		struct http_later later = r->later;

		r->later = (struct http_later){0};
		later.ready(later.ctx, r);
	} else if (!r->routed) {
		r->routed = true;
		route(r, path, method);
	}
	return MHD_YES;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode code)
{
	struct http_request *r = *state;

	(void)ctx;
	(void)connection;
	(void)code;
	if (r && r->later.ready)
		r->later.gone(r->later.ctx);
	free(r);
	*state = NULL;
}

static void on_mhd_log(void *ctx, const char *fmt, va_list args) PRINTF_LIKE(2, 0);

/* What clients do wrong is their business. */
static void on_mhd_log(void *ctx, const char *fmt, va_list args)
{
	(void)ctx;
	log_writev(LOG_LEVEL_DEBUG, fmt, args);
}

int http_server_start(int listen_fd, const struct http_route *routes, size_t n_routes,
		      struct http_server **ret, struct error *e)
{
	struct http_server *s = calloc(1, sizeof(*s));

	if (!s) {
		fd_close(listen_fd);
		return error_set(e, -ENOMEM, "no memory for the HTTP server");
	}
	s->routes = routes;
	s->n_routes = n_routes;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->none_suspended, NULL);
	s->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
					     MHD_USE_ERROR_LOG,
				     0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER,
				     on_mhd_log, NULL, MHD_OPTION_LISTEN_SOCKET, listen_fd,
				     MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
				     MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
				     MHD_OPTION_CONNECTION_TIMEOUT, SILENCE_MAX_SEC,
				     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
				     MHD_OPTION_END);
	if (!s->daemon) {
		int err = errno ? -errno : -EIO;

		fd_close(listen_fd);
		http_server_stop(s);
		return error_set(e, err, "cannot start the HTTP server: %s", strerror(-err));
	}
	*ret = s;
	return 0;
}

void http_server_stop(struct http_server *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	while (s->suspended)
		pthread_cond_wait(&s->none_suspended, &s->lock);
	pthread_mutex_unlock(&s->lock);
	if (s->daemon)
		MHD_stop_daemon(s->daemon);
	pthread_cond_destroy(&s->none_suspended);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
