// SPDX-License-Identifier: MIT
#include "control/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define ANSWER_MAX      (64U << 20)
#define SILENCE_MAX_SEC 10

static int connect_to(const char *path, int *ret_fd, struct error *e)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const struct timeval silence = {.tv_sec = SILENCE_MAX_SEC};
	_cleanup_close_ int fd = -1;

	if (strlen(path) >= sizeof(to.sun_path))
		return error_set_usage(e, "the path of the control socket is too long: '%s'", path);
	memcpy(to.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(e, -errno, "cannot make a socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		if (errno == ENOENT || errno == ECONNREFUSED)
			return error_set(e, -errno,
					 "no daemon answers at '%s'; start one with: "
					 "wiregauge run, or name its socket with --control.socket",
					 path);
		return error_set(e, -errno, "cannot connect to the daemon at '%s': %s", path,
				 strerror(errno));
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int read_all(int fd, struct buf *b)
{
	for (;;) {
		ssize_t n;

		if (!buf_reserve(b, 64 << 10) || b->len > ANSWER_MAX)
			return -ENOMEM;
		n = recv(fd, b->data + b->len, b->cap - b->len - 1, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		b->len += (size_t)n;
	}
}

/* The body of the answer @b, when its status is 200. */
static const char *find_body(struct buf *b)
{
	const char *text = buf_str(b);
	const char *blank = strstr(text, "\r\n\r\n");

	return blank && strncmp(text, "HTTP/1.", 7) == 0 && strncmp(text + 8, " 200 ", 5) == 0
		       ? blank + 4
		       : NULL;
}

int control_ask(const char *socket, const char *path, json_t **ret, struct error *e)
{
	_cleanup_buf_ struct buf answer = {0};
	_cleanup_close_ int fd = -1;
	char request[256];
	const char *body;
	json_error_t wrong;
	int n, err = connect_to(socket, &fd, e);

	if (err)
		return err;
	/* HTTP/1.0: the answer ends with the connection and is not chunked. */
	n = snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\nHost: wiregauge\r\n\r\n", path);
	if (send(fd, request, (size_t)n, MSG_NOSIGNAL) != n || (err = read_all(fd, &answer)))
		return error_set(e, err ? err : -EIO, "the daemon at '%s' did not answer: %s",
				 socket, strerror(err ? -err : EIO));
	body = find_body(&answer);
	*ret = body ? json_loads(body, 0, &wrong) : NULL;
	if (!*ret)
		return error_set(e, -EPROTO,
				 "the daemon at '%s' answered what this version does not "
				 "understand: %.200s",
				 socket, buf_str(&answer));
	return 0;
}
