/* SPDX-License-Identifier: MIT */
/* TLS as a web config file wants it: certificates, versions, suites, and which clients may come. */
#pragma once

#include <gnutls/gnutls.h>

#include "config/web.h"

struct tls; /* opaque */

/* Makes GnuTLS ready, before anything else of it is used; more than once does no harm, and it stays
 * ready until the process ends. 0 or -ENOMEM. */
int tls_start_library(void);

/* Reads the certificates that @c names. What is wrong with them is an error in @r, at the place
 * that named them: -EINVAL, or -ENOMEM. */
int tls_new(const struct web_config *c, struct report *r, struct tls **ret);
void tls_free(struct tls *t);

/* The TLS of a client at @fd, its handshake still to come. @t must outlive it. 0 or -ENOMEM. */
int tls_open(struct tls *t, int fd, gnutls_session_t *ret);

/* After the handshake: whether it came to one of the suites that were named. */
bool tls_is_acceptable(const struct tls *t, gnutls_session_t session);

/* The file @name as @c means it: relative to the web config file. NULL without memory. */
char *tls_path(const struct web_config *c, const char *name);
