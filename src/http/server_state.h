/* SPDX-License-Identifier: MIT */
/* The server itself; for its own files alone. */
#pragma once

#include <pthread.h>

#include "http/connection.h"

struct http_server {
	struct http_server_options options;
	pthread_t thread;
	int epoll_fd;
	int wake_fd; /* eventfd: something below the lock has changed */
	struct seats seats;
	char *inputs; /* INPUT_SIZE for each seat */
	uint64_t now_ns;
	struct connection *ready;       /* have more to do: the last one of a circle, or NULL */
	struct http_security *security; /* of those who come now; set below the lock */
	uint64_t looked_ns;             /* when its files were looked at */
	bool retries;                   /* they have changed, and could not be read at first */
	bool listens;                   /* not while there are no descriptors */
	uint64_t listen_again_ns;
	uint64_t warned_ns;

	pthread_mutex_t lock;
	struct connection *resumed;
	struct connection *given_up;
	unsigned suspended;
	bool stopping;
	struct http_security *next_security; /* given from outside, to be taken */
};

/* To be run again, after the others. */
void server_add_ready(struct http_server *s, struct connection *c);

/* One more answer is being made; false when the server is stopping. */
bool server_add_suspended(struct http_server *s);

/* It is made already. */
void server_take_back_suspended(struct http_server *s);

/* The answer of @c is released, and with it what others may have said about it. */
void server_forget_given_up(struct http_server *s, struct connection *c);

/* @c is closed. */
void server_give_back(struct http_server *s, struct connection *c);
