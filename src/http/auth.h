/* SPDX-License-Identifier: MIT */
/*
 * Users with passwords (RFC 7617). A password is checked against its bcrypt hash, which is meant to
 * take long: in a thread of its own, for one request after the other. What was found is remembered
 * by a keyed digest of name and password, so that a scraper is checked once.
 *
 * Whoever guesses costs one such check a guess: a peer may have few of them waiting, and those who
 * are known wait for nobody. A user that does not exist costs as much as one that does.
 */
#pragma once

#include "config/web.h"

struct auth; /* opaque; counted */

enum auth_verdict {
	AUTH_YES,
	AUTH_NO,
	AUTH_BUSY,  /* too many are waiting */
	AUTH_LATER, /* `done` will be called */
};

enum { AUTH_DIGEST_SIZE = 32 };

/* One question, in memory of whoever asks until `done`, which is called in the other thread, or in
 * that of auth_stop(). */
struct auth_question {
	void (*done)(struct auth_question *q);
	enum auth_verdict verdict;
	struct auth_question *next;
};

/* NULL without memory. Names and hashes are copied. */
struct auth *auth_new(const struct web_config *c);
struct auth *auth_ref(struct auth *a);
void auth_unref(struct auth *a);

/* Whether @a knows the users of @c, each with the same hash. */
bool auth_is_same(const struct auth *a, const struct web_config *c);

/* Whether @authorization (the header field; NULL: none) names a user. @peer: who asks. */
enum auth_verdict auth_ask(struct auth *a, const char *authorization, unsigned peer,
			   struct auth_question *q);

/* Whoever waits is told AUTH_BUSY; nobody is checked any more. */
void auth_stop(struct auth *a);
