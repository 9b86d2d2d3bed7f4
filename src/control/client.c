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
#include "control/operation.h"

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
		return error_set(e, -errno, "cannot connect to the daemon at '%s': %s%s", path,
				 strerror(errno),
				 errno == EACCES ? "; it answers root, and who is in the group of "
						   "that socket"
						 : "");
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

/* What came back: its status, and in @text its body, from @body on. */
struct answer {
	struct buf text;
	long status;
	const char *body;
};

static int misunderstood(const char *socket, const char *text, struct error *e)
{
	return error_set(
		e, -EPROTO,
		"the daemon at '%s' answered what this version does not understand: %.200s", socket,
		text);
}

static int unknown_operation(const char *socket, struct error *e)
{
	error_set(e, -EPROTO, "the daemon at '%s' does not know how to do that", socket);
	return error_hint(e, "it is of another version: wiregauge status says which; this "
			     "is " WIREGAUGE_VERSION);
}

static int send_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* HTTP/1.0: the answer ends with the connection and is not chunked. */
static int exchange(const char *socket, const char *method, const char *path, struct answer *ret,
		    struct error *e)
{
	_cleanup_buf_ struct buf request = {0};
	_cleanup_close_ int fd = -1;
	const char *text, *blank;
	int err = connect_to(socket, &fd, e);

	if (err)
		return err;
	buf_printf(&request, "%s %s HTTP/1.0\r\nHost: wiregauge\r\n\r\n", method, path);
	err = buf_ok(&request) ? send_all(fd, request.data, request.len) : -ENOMEM;
	if (!err)
		err = read_all(fd, &ret->text);
	if (err)
		return error_set(e, err, "the daemon at '%s' did not answer: %s", socket,
				 strerror(-err));
	text = buf_str(&ret->text);
	blank = strstr(text, "\r\n\r\n");
	if (!blank || strncmp(text, "HTTP/1.", 7) != 0)
		return misunderstood(socket, text, e);
	ret->status = strtol(text + 8, NULL, 10);
	ret->body = blank + 4;
	return 0;
}

static void answer_free(struct answer *a)
{
	buf_free(&a->text);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* The daemon's own sentence, with its exit code, and the lines that go with it. */
static int refusal(const char *socket, const struct answer *a, struct buf *details, struct error *e)
{
	json_error_t wrong;
	json_auto_t *json = json_loads(a->body, 0, &wrong);
	const json_t *what = json_object_get(json, "error");
	const char *hint = text_of(what, "hint");

	if (!what)
		return misunderstood(socket, a->text.data, e);
	if (STREQ(text_of(what, "code"), OPERATION_UNKNOWN))
		return unknown_operation(socket, e);
	if (details)
		buf_add_str(details, text_of(what, "details"));
	error_set(e, -EIO, "%s", text_of(what, "message"));
	if (*hint)
		error_hint(e, "%s", hint);
	e->exit = (enum exit_code)json_integer_value(json_object_get(what, "exit"));
	if (e->exit == EXIT_DONE) /* from who does not say what it means */
		e->exit = EXIT_FAILED;
	return -EIO;
}

static int ask(const char *socket, const char *method, const char *path, json_t **ret,
	       struct buf *details, struct error *e)
{
	_cleanup_(answer_free) struct answer answer = {0};
	json_error_t wrong;
	int err = exchange(socket, method, path, &answer, e);

	if (err)
		return err;
	if (answer.status != 200)
		return refusal(socket, &answer, details, e);
	*ret = json_loads(answer.body, 0, &wrong);
	return *ret ? 0 : misunderstood(socket, answer.text.data, e);
}

int control_ask(const char *socket, const char *path, json_t **ret, struct error *e)
{
	return ask(socket, "GET", path, ret, NULL, e);
}

int control_ask_text(const char *socket, const char *path, struct buf *ret, struct error *e)
{
	_cleanup_(answer_free) struct answer answer = {0};
	int err = exchange(socket, "GET", path, &answer, e);

	if (err)
		return err;
	if (answer.status != 200)
		return refusal(socket, &answer, NULL, e);
	buf_add_str(ret, answer.body);
	return buf_ok(ret) ? 0 : error_set(e, -ENOMEM, "no memory for the daemon's answer");
}

int control_do(const char *socket, const char *path, json_t **ret, struct buf *details,
	       struct error *e)
{
	return ask(socket, "POST", path, ret, details, e);
}
