/* SPDX-License-Identifier: MIT */
/*
 * A small HTTP/1.1 server for one listening socket: paths and who answers them. One thread serves
 * all connections; nothing is allocated for a request, and slow clients keep nobody waiting. What
 * is no request for a path here is answered here (4xx, 5xx).
 *
 * Handlers run in the server's thread and must not wait: what takes time is answered later, by
 * http_suspend() and, from any thread, http_resume().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct http_server;   /* opaque */
struct http_request;  /* opaque; lives until it is answered and the answer is sent */
struct http_security; /* http/security.h */

enum http_method { HTTP_GET /* and HEAD */, HTTP_POST };

struct http_route {
	const char *path;
	void (*handle)(void *ctx, struct http_request *r);
	void *ctx;
	enum http_method method;
};

struct http_server_options {
	int listen_fd; /* taken over in any case */
	size_t connections_max;
	const struct http_route *routes; /* must outlive the server */
	size_t n_routes;
	/* Answers in the server's place what is no request for a path here: @status, and the
	 * sentence that says so. NULL: that sentence as plain text. */
	void (*refuse)(struct http_request *r, unsigned status, const char *text);
	/* From security_load(), or NULL; taken over in any case. It is read anew when its files
	 * change. */
	struct http_security *security;
};

int http_server_start(const struct http_server_options *options, struct http_server **ret,
		      struct error *e);

/* From now on; @security is taken over. Connections that there are end with their next answer. */
void http_server_secure(struct http_server *s, struct http_security *security);

/* What newcomers are kept to now, for security_unref(); NULL: nothing. */
struct http_security *http_server_security(struct http_server *s);

/* Waits for suspended requests, then closes all connections. */
void http_server_stop(struct http_server *s);

/* ---- for handlers: what was asked; valid until it is answered ---- */

/* The value of the request's header field @name (in any case), or NULL. */
const char *http_header(const struct http_request *r, const char *name);

/* What stands behind '?' in the target, still encoded, or NULL. */
const char *http_query(const struct http_request *r);

/* The socket of who asks: to ask the kernel about him, and for nothing else. */
int http_descriptor(const struct http_request *r);

/* What a POST brought; not NUL-terminated. It is at most a few KiB: more is refused before. */
const char *http_body(const struct http_request *r, size_t *ret_len);

/* ---- for handlers: answer exactly once ---- */

/* @body is copied. @type is a Content-Type, a text that stays. */
void http_respond(struct http_request *r, unsigned status, const char *type, const void *body,
		  size_t len);
void http_respond_text(struct http_request *r, unsigned status, const char *text);

/* As the server itself answers: with the sentence that belongs to @status, such as 404. */
void http_refuse(struct http_request *r, unsigned status);

/* Of the content; texts that stay, NULL where there is nothing to say. */
struct http_fields {
	const char *type;     /* Content-Type */
	const char *encoding; /* Content-Encoding */
	const char *vary;     /* the fields of the request that it depends on */
};

/* 200; @body is sent from where it is, and @release(@ctx) called when that is done. */
void http_respond_from(struct http_request *r, const struct http_fields *fields, const void *body,
		       size_t len, void (*release)(void *ctx), void *ctx);

/*
 * Answer later: after http_suspend(), one http_resume() from any thread makes the server call, in
 * its own thread, either `ready`, which answers or suspends again, or `gone` when the client has
 * left meanwhile. False when the server is stopping: then it was answered, and neither is called.
 */
struct http_later {
	void (*ready)(void *ctx, struct http_request *r);
	void (*gone)(void *ctx);
	void *ctx;
};

bool http_suspend(struct http_request *r, struct http_later later);
void http_resume(struct http_request *r);

/*
 * The answer that is on its way, or still to come, is given up and its connection closed, because
 * what it holds is needed. To be called, from any thread, before its `release` has been called.
 */
void http_give_up(struct http_request *r);
