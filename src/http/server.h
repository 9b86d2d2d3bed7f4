/* SPDX-License-Identifier: MIT */
/*
 * A small HTTP server over libmicrohttpd, for one listening socket: paths and who answers them. GET
 * and HEAD only; all else is answered here (404, 405, and 4xx for what cannot be parsed).
 *
 * Handlers run in the server's one thread and must not wait: what takes time is answered later, by
 * http_suspend() and, from any thread, http_resume().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct http_server;  /* opaque */
struct http_request; /* opaque; lives until it is answered and the answer is sent */

struct http_route {
	const char *path;
	void (*handle)(void *ctx, struct http_request *r);
	void *ctx;
};

/* Takes over @listen_fd in any case; @routes must outlive the server. */
int http_server_start(int listen_fd, const struct http_route *routes, size_t n_routes,
		      struct http_server **ret, struct error *e);

/* Waits for suspended requests, then closes all connections. */
void http_server_stop(struct http_server *s);

/* ---- for handlers: answer exactly once ---- */

/* @body is copied. @type is a Content-Type. */
void http_respond(struct http_request *r, unsigned status, const char *type, const void *body,
		  size_t len);
void http_respond_text(struct http_request *r, unsigned status, const char *text);

/* @body is sent from where it is, and @release(@ctx) called when that is done. @encoding: of the
 * content, or NULL. */
void http_respond_from(struct http_request *r, const char *type, const char *encoding,
		       const void *body, size_t len, void (*release)(void *ctx), void *ctx);

/*
 * Answer later: after http_suspend(), one http_resume() from any thread makes the server call, in
 * its own thread, either `ready`, which answers, or `gone` when the client has left meanwhile.
 * False when the server is stopping: then it was answered, and neither is called.
 */
struct http_later {
	void (*ready)(void *ctx, struct http_request *r);
	void (*gone)(void *ctx);
	void *ctx;
};

bool http_suspend(struct http_request *r, struct http_later later);
void http_resume(struct http_request *r);

/* The value of the request's header field @name (in any case), or NULL. It lives as long as the
 * request is not answered. */
const char *http_header(struct http_request *r, const char *name);
