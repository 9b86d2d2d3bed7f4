/* SPDX-License-Identifier: MIT */
/* A connection and the request on it; for the files of the server alone. */
#pragma once

#include "http/body.h"
#include "http/head.h"
#include "http/seats.h"
#include "http/security.h"
#include "http/server.h"
#include "http/stream.h"

enum {
	/* A head, and a body for who wants one or what comes behind. */
	INPUT_SIZE = HEAD_MAX + 4096,
	/* The head of an answer, and the body of a short one. */
	OUTPUT_SIZE = 1024,
};

/*
 * handshake → head → body → (later) → answer → head …, or → lingering: the answer is sent, and what
 * the client still sends is read, because closing before that would take the answer back.
 */
enum connection_state {
	STATE_HANDSHAKE,
	STATE_HEAD,
	STATE_BODY,
	STATE_LATER,
	STATE_ANSWER,
	STATE_LINGER,
	STATE_CLOSED,
};

struct answer {
	unsigned status;           /* 0: not answered yet */
	size_t head_len;           /* in the output, with the body of a short one behind it */
	const struct buf *headers; /* more of the head, with its end */
	const void *body;
	size_t body_len;
	size_t sent;
	void (*release)(void *ctx); /* of the body; may be NULL */
	void *ctx;
};

struct http_request {
	struct http_server *server;
	struct head head;
	struct body framing;
	const struct http_route *route; /* NULL: none */
	unsigned unroutable;            /* the status that says why no route takes it, or 0 */
	const char *body;
	size_t body_len;
	struct http_later later;
	struct auth_question question;
	bool close; /* after the answer */
	struct answer answer;
	char output[OUTPUT_SIZE];
};

struct connection {
	struct seat seat;
	struct stream stream;
	struct http_security *security; /* as it was when it came; NULL: none */
	enum connection_state state;
	bool gone; /* the client has left while its answer was being made */
	bool is_ready;
	struct connection *next_ready;
	/* Below the server's lock: */
	struct connection *next_resumed;
	struct connection *next_given_up;
	bool is_listed;
	bool given_up; /* the answer, unless it is another one by now */

	/* The input: the head, what is kept of the body up to body_end, then what is still to be
	 * looked at, from `at` to input_len. */
	char *input; /* INPUT_SIZE */
	size_t input_len;
	size_t scanned;
	size_t head_len;
	size_t body_end;
	size_t at;

	struct http_request request;
};

static inline struct connection *connection_of(struct http_request *r)
{
	return CONTAINER_OF(r, struct connection, request);
}

/* @c has its seat; it takes over @fd, which is for @security. 0 or -ENOMEM, when it is closed. */
int connection_open(struct connection *c, int fd, struct http_security *security);

/* Goes on as far as it goes without waiting; true when it has more to do, after the others. */
bool connection_run(struct connection *c);

/* Its answer has been made, if it is still wanted. */
void connection_resume(struct connection *c);

/* It is over its limits. */
void connection_expire(struct connection *c);

/* Its answer holds what others need. */
void connection_give_up(struct connection *c);

/* Gives its seat back. Not while its answer is being made. */
void connection_close(struct connection *c);

/* ---- answer.c ---- */

/* The sentence that belongs to a status. */
void answer_status(struct http_request *r, unsigned status);

/* Frees what the answer holds, sent or not. */
void answer_release(struct http_request *r);
