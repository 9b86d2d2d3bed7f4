// SPDX-License-Identifier: MIT
#include "http/stream.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/log.h"

static int translate(ssize_t code)
{
	if (code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED)
		return -EAGAIN;
	if (code == GNUTLS_E_PREMATURE_TERMINATION || code == GNUTLS_E_PUSH_ERROR ||
	    code == GNUTLS_E_PULL_ERROR)
		return -ECONNRESET;
	return -EIO; /* also a renegotiation, which has no use here */
}

/* Before the first byte is there, nothing is to be done. */
static int check_first_byte(struct stream *s)
{
	char first;
	ssize_t n = recv(s->fd, &first, 1, MSG_PEEK);

	if (n <= 0)
		return n ? -errno : -ECONNRESET;
	/* A TLS handshake begins with 0x16, a method of HTTP with a letter. */
	s->begun = true;
	return first >= 'A' && first <= 'z' ? -EPROTO : 0;
}

int stream_handshake(struct stream *s)
{
	int code = s->tls && !s->begun ? check_first_byte(s) : 0;

	if (code || !s->tls)
		return code;
	code = gnutls_handshake(s->tls);
	if (code >= 0)
		return 0;
	if (code == GNUTLS_E_AGAIN || !gnutls_error_is_fatal(code))
		return -EAGAIN;
	log_debug("a TLS handshake failed: %s", gnutls_strerror(code));
	return -EIO;
}

void stream_make_plain(struct stream *s)
{
	gnutls_deinit(s->tls);
	s->tls = NULL;
}

ssize_t stream_read(struct stream *s, void *to, size_t len)
{
	ssize_t n = s->tls ? gnutls_record_recv(s->tls, to, len) : recv(s->fd, to, len, 0);

	if (n >= 0)
		return n;
	return s->tls ? translate(n) : -errno;
}

/* A record holds 16 KiB: pieces are sent one after the other. */
static ssize_t write_tls(struct stream *s, const struct iovec *pieces, size_t count)
{
	size_t taken = 0;

	for (size_t i = 0; i < count; i++) {
		ssize_t n;

		if (pieces[i].iov_len == 0)
			continue;
		n = gnutls_record_send(s->tls, pieces[i].iov_base, pieces[i].iov_len);
		if (n < 0)
			return taken ? (ssize_t)taken : translate(n);
		taken += (size_t)n;
		if ((size_t)n < pieces[i].iov_len)
			break;
	}
	return (ssize_t)taken;
}

ssize_t stream_write(struct stream *s, const struct iovec *pieces, size_t count)
{
	struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = count};
	ssize_t n;

	if (s->tls)
		return write_tls(s, pieces, count);
	n = sendmsg(s->fd, &message, MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

void stream_shut(struct stream *s)
{
	if (s->tls)
		gnutls_bye(s->tls, GNUTLS_SHUT_WR);
	shutdown(s->fd, SHUT_WR);
}

void stream_close(struct stream *s)
{
	if (s->tls)
		gnutls_deinit(s->tls);
	s->tls = NULL;
	s->fd = fd_close(s->fd);
}
