/* SPDX-License-Identifier: MIT */
/*
 * What a web config file says, ready for use: TLS, users, headers. It never changes; when one of
 * its files does, another takes its place, and connections keep theirs until their answer is sent.
 */
#pragma once

#include "http/auth.h"
#include "http/tls.h"

/* A file as it was when it was read. */
struct file_stamp;

struct http_security {
	struct web_config *config;
	struct tls *tls;    /* NULL: plain */
	struct auth *auth;  /* NULL: nobody is asked */
	struct buf headers; /* of every answer, with the end of its head */
	/* The rest is security.c's. */
	struct file_stamp *stamps;
	size_t n_stamps;
};

/*
 * Reads the web config file at @path and what it names. What is wrong is an error in @r and
 * -EINVAL; else -ENOMEM. @before (may be NULL) is the one that it is to replace: what users have
 * been found out there goes on, if they are the same.
 */
int security_load(const char *path, const struct http_security *before, struct report *r,
		  struct http_security **ret);

/* Appends the folders of the web config file at @path, and of the files that it names as it is now,
 * to @to. -ENOMEM. */
int security_add_folders(const char *path, struct strv *to);

struct http_security *security_ref(struct http_security *s);
void security_unref(struct http_security *s);

DEFINE_CLEANUP(struct http_security *, security_unref)

/* Whether one of the files has changed since it was read, or since this was said last. */
bool security_has_changed(struct http_security *s);
