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
#define SILENCE_MAX_SEC 60 /* objects may take the verifier long */

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

/* What came back: its status and, as JSON, its body. */
struct answer {
	long status;
	json_t *json;
};

static int parse_answer(const char *socket, struct buf *b, struct answer *ret, struct error *e)
{
	const char *text = buf_str(b);
	const char *blank = strstr(text, "\r\n\r\n");
	json_error_t wrong;

	if (blank && strncmp(text, "HTTP/1.", 7) == 0)
		*ret = (struct answer){strtol(text + 8, NULL, 10),
				       json_loads(blank + 4, 0, &wrong)};
	if (ret->json)
		return 0;
	return error_set(
		e, -EPROTO,
		"the daemon at '%s' answered what this version does not understand: %.200s", socket,
		text);
}

static int exchange(const char *socket, const char *method, const char *path, struct answer *ret,
		    struct error *e)
{
	_cleanup_buf_ struct buf b = {0};
	_cleanup_close_ int fd = -1;
	char request[256];
	int n, err = connect_to(socket, &fd, e);

	if (err)
		return err;
	/* HTTP/1.0: the answer ends with the connection and is not chunked. */
	n = snprintf(request, sizeof(request), "%s %s HTTP/1.0\r\nHost: wiregauge\r\n\r\n", method,
		     path);
	if (send(fd, request, (size_t)n, MSG_NOSIGNAL) != n || (err = read_all(fd, &b)))
		return error_set(e, err ? err : -EIO, "the daemon at '%s' did not answer: %s",
				 socket, strerror(err ? -err : EIO));
	return parse_answer(socket, &b, ret, e);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

int control_ask(const char *socket, const char *path, json_t **ret, struct error *e)
{
	struct answer answer = {0};
	int err = exchange(socket, "GET", path, &answer, e);

	if (!err)
		*ret = answer.json;
	return err;
}

int control_do(const char *socket, const char *path, json_t **ret, struct buf *details,
	       struct error *e)
{
	struct answer answer = {0};
	int err = exchange(socket, "POST", path, &answer, e);

	if (err)
		return err;
	if (answer.status == 200) {
		*ret = answer.json;
		return 0;
	}
	buf_add_str(details, text_of(answer.json, "details"));
	err = error_set(e, -EIO, "%s", text_of(answer.json, "error"));
	e->exit = (enum exit_code)json_integer_value(json_object_get(answer.json, "exit"));
	if (e->exit == EXIT_DONE) /* from who does not say what it means */
		e->exit = EXIT_FAILED;
	json_decref(answer.json);
	return err;
}
