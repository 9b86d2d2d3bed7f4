/* SPDX-License-Identifier: MIT */
/* The bytes of a connection, with TLS or without. Nothing here waits: -EAGAIN says to come back
 * when the socket has changed. */
#pragma once

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct stream {
	int fd;
	gnutls_session_t tls; /* NULL: plain */
	bool begun;           /* the other side has said something, and it looked like TLS */
};

/* To be called until it does not say -EAGAIN. -EPROTO when the other side speaks plain HTTP, which
 * is still unread then; -EIO when TLS fails. */
int stream_handshake(struct stream *s);

/* It was plain all along. */
void stream_make_plain(struct stream *s);

/* At least 1; 0 at the end; or a negative errno. */
ssize_t stream_read(struct stream *s, void *to, size_t len);

/* What was taken of the pieces, at least 1, or a negative errno. */
ssize_t stream_write(struct stream *s, const struct iovec *pieces, size_t count);

/* Says that nothing more will be written. */
void stream_shut(struct stream *s);
void stream_close(struct stream *s);
