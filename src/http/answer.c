// SPDX-License-Identifier: MIT
/* What handlers ask of a request and answer, and the sentences for what no handler sees. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http/server_state.h"

static const struct status {
	unsigned status;
	const char *reason;
	const char *text;
} statuses[] = {
	{200, "OK", NULL},
	{400, "Bad Request", "400: this is no request as HTTP has them\n"},
	{401, "Unauthorized", "401: a name and its password are needed\n"},
	{403, "Forbidden", NULL},
	{404, "Not Found", "404: there is nothing here; see /\n"},
	{405, "Method Not Allowed", "405: not by this method\n"},
	{408, "Request Timeout", "408: the request took too long to arrive\n"},
	{409, "Conflict", NULL},
	{413, "Content Too Large", "413: the body is too large\n"},
	{414, "URI Too Long", "414: the path is too long\n"},
	{417, "Expectation Failed", "417: only 100-continue can be expected\n"},
	{429, "Too Many Requests", "429: too many passwords are waiting to be checked\n"},
	{431, "Request Header Fields Too Large", "431: the header is too large\n"},
	{500, "Internal Server Error", "500: nobody answered\n"},
	{501, "Not Implemented", "501: no transfer coding but chunked is understood\n"},
	{503, "Service Unavailable", "503: no memory\n"},
	{505, "HTTP Version Not Supported", "505: only HTTP/1.0 and HTTP/1.1 are spoken\n"},
	{507, "Insufficient Storage", NULL},
};

/* The row of @status; of 500 when there is none. */
static const struct status *find_status(unsigned status)
{
	const struct status *unknown = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		if (statuses[i].status == status)
			return &statuses[i];
		if (statuses[i].status == 500)
			unknown = &statuses[i];
	}
	return unknown;
}

static void format_date(char *to, size_t size)
{
	time_t now = time(NULL);
	struct tm utc;

	if (!gmtime_r(&now, &utc) || !strftime(to, size, "%a, %d %b %Y %H:%M:%S GMT", &utc))
		to[0] = '\0';
}

static const char *connection_token(const struct http_request *r)
{
	if (r->close)
		return "close";
	return r->head.http_1_0 ? "keep-alive" : NULL;
}

static const char *allowed_methods(const struct http_request *r)
{
	return r->route && r->route->method == HTTP_POST ? "POST" : "GET, HEAD";
}

/* What follows where nothing was configured: the end of the head. */
static const struct buf head_end = {.data = "\r\n", .len = 2};

static void add_field(char **at, const char *end, const char *name, const char *value)
{
	int n = value ? snprintf(*at, (size_t)(end - *at), "%s: %s\r\n", name, value) : 0;

	*at += MIN(n, (int)(end - *at) - 1);
}

/* What does not fit into the output is cut, which no field of ours comes near. */
static void write_head(struct http_request *r, const struct http_fields *fields)
{
	struct answer *a = &r->answer;
	char *at = r->output;
	const char *end = at + sizeof(r->output);
	char date[32], line[64], length[24];

	snprintf(line, sizeof(line), "HTTP/1.1 %u %s\r\n", a->status,
		 find_status(a->status)->reason);
	at = stpcpy(at, line);
	format_date(date, sizeof(date));
	snprintf(length, sizeof(length), "%zu", a->body_len);
	add_field(&at, end, "Date", date);
	add_field(&at, end, "Content-Type", fields->type);
	add_field(&at, end, "Content-Length", length);
	add_field(&at, end, "Content-Encoding", fields->encoding);
	add_field(&at, end, "Vary", fields->vary);
	add_field(&at, end, "Allow", a->status == 405 ? allowed_methods(r) : NULL);
	add_field(&at, end, "Connection", connection_token(r));
	add_field(&at, end, "WWW-Authenticate",
		  a->status == 401 ? "Basic realm=\"wiregauge\", charset=\"UTF-8\"" : NULL);
	a->head_len = (size_t)(at - r->output);
	a->headers = connection_of(r)->security ? &connection_of(r)->security->headers : &head_end;
}

/* Nothing of a body is sent to who asked for the head alone. */
static void keep_head_only(struct http_request *r)
{
	if (!r->head.method || !STREQ(r->head.method, "HEAD"))
		return;
	answer_release(r);
	r->answer.body_len = 0;
}

void answer_release(struct http_request *r)
{
	struct answer *a = &r->answer;

	if (a->release) {
		a->release(a->ctx);
		server_forget_given_up(r->server, connection_of(r));
	}
	a->release = NULL;
	a->body = NULL;
}

void http_respond_from(struct http_request *r, const struct http_fields *fields, const void *body,
		       size_t len, void (*release)(void *ctx), void *ctx)
{
	r->answer = (struct answer){
		.status = 200, .body = body, .body_len = len, .release = release, .ctx = ctx};
	write_head(r, fields);
	keep_head_only(r);
}

/* A short one goes behind the head, a long one into memory of its own. */
void http_respond(struct http_request *r, unsigned status, const char *type, const void *body,
		  size_t len)
{
	const struct http_fields fields = {.type = type};
	struct answer *a = &r->answer;
	void *copy;

	*a = (struct answer){.status = status, .body_len = len};
	write_head(r, &fields);
	if (len <= sizeof(r->output) - a->head_len) {
		a->body = memcpy(r->output + a->head_len, body, len);
	} else if ((copy = malloc(len))) {
		a->body = memcpy(copy, body, len);
		a->release = free;
		a->ctx = copy;
	} else {
		answer_status(r, 503);
		return;
	}
	keep_head_only(r);
}

void http_respond_text(struct http_request *r, unsigned status, const char *text)
{
	http_respond(r, status, "text/plain; charset=utf-8", text, strlen(text));
}

void answer_status(struct http_request *r, unsigned status)
{
	void (*refuse)(struct http_request * r, unsigned status, const char *text) =
		r->server->options.refuse;
	const char *text = find_status(status)->text;

	if (refuse && status != 503) /* without memory the plain text is as much as can be */
		refuse(r, status, text);
	else
		http_respond_text(r, status, text);
}

void http_refuse(struct http_request *r, unsigned status)
{
	answer_status(r, status);
}

const char *http_header(const struct http_request *r, const char *name)
{
	return head_find(&r->head, name);
}

const char *http_query(const struct http_request *r)
{
	return r->head.query;
}

int http_descriptor(const struct http_request *r)
{
	return CONTAINER_OF(r, struct connection, request)->stream.fd;
}

const char *http_body(const struct http_request *r, size_t *ret_len)
{
	*ret_len = r->body_len;
	return r->body;
}
