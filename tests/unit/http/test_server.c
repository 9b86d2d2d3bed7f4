// SPDX-License-Identifier: MIT
/* The server at a unix socket, with routes that show what it does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "http/listen.h"
#include "http/server.h"

enum {
	CONNECTIONS_MAX = 8,
	ANSWER_LEN = 8 << 20, /* more than all buffers on its way */
	PATIENCE_SEC = 20,
};

static char dir[] = "/tmp/server-XXXXXX";
static char path[64];
static struct http_server *server;
static char *large;
static _Atomic int released;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct http_request *waiting;
static int n_gone;

/* ---- routes ---- */

static void serve_name(void *ctx, struct http_request *r)
{
	const char *name = http_header(r, "X-Name");

	(void)ctx;
	http_respond_text(r, 200, name ? name : "nobody");
}

static void serve_echo(void *ctx, struct http_request *r)
{
	size_t len;
	const char *body = http_body(r, &len);

	(void)ctx;
	http_respond(r, 200, "application/octet-stream", body, len);
}

static void count_release(void *ctx)
{
	(void)ctx;
	released++;
}

static void serve_large(void *ctx, struct http_request *r)
{
	const struct http_fields fields = {.type = "text/plain", .encoding = "x", .vary = "X-Name"};

	(void)ctx;
	http_respond_from(r, &fields, large, ANSWER_LEN, count_release, NULL);
	pthread_mutex_lock(&lock);
	waiting = r;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&lock);
}

static void later_ready(void *ctx, struct http_request *r)
{
	(void)ctx;
	http_respond_text(r, 200, "at last");
}

static void later_gone(void *ctx)
{
	(void)ctx;
	pthread_mutex_lock(&lock);
	n_gone++;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&lock);
}

static void serve_later(void *ctx, struct http_request *r)
{
	(void)ctx;
	if (!http_suspend(r, (struct http_later){later_ready, later_gone, NULL}))
		return;
	pthread_mutex_lock(&lock);
	waiting = r;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&lock);
}

static void serve_nothing(void *ctx, struct http_request *r)
{
	(void)ctx;
	(void)r;
}

static const struct http_route routes[] = {
	{"/name", serve_name, NULL, HTTP_GET},       {"/echo", serve_echo, NULL, HTTP_POST},
	{"/large", serve_large, NULL, HTTP_GET},     {"/later", serve_later, NULL, HTTP_GET},
	{"/nothing", serve_nothing, NULL, HTTP_GET},
};

static int start(void **state)
{
	struct http_server_options options = {.connections_max = CONNECTIONS_MAX,
					      .routes = routes,
					      .n_routes = ARRAY_SIZE(routes)};
	struct error error;

	(void)state;
	waiting = NULL;
	n_gone = 0;
	released = 0;
	return listen_unix(path, (gid_t)-1, &options.listen_fd, &error) ||
	       http_server_start(&options, &server, &error);
}

static int stop(void **state)
{
	(void)state;
	http_server_stop(server);
	return unlink(path);
}

/* ---- a client ---- */

static int connect_client(void)
{
	const struct timeval patience = {.tv_sec = PATIENCE_SEC};
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(to.sun_path, path, strlen(path));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* One byte; -1 at the end or when the connection was reset. */
static int read_byte(int fd)
{
	unsigned char c;
	ssize_t n = recv(fd, &c, 1, 0);

	assert_true(n >= 0 || errno == ECONNRESET);
	return n == 1 ? c : -1;
}

/* Head and body, and not a byte more. */
static const char *hear(int fd, struct buf *b)
{
	const char *length;
	size_t head;

	buf_reset(b);
	while (!strstr(buf_str(b), "\r\n\r\n")) {
		int c = read_byte(fd);

		assert_true(c >= 0);
		buf_add_char(b, (char)c);
	}
	head = b->len;
	length = strstr(buf_str(b), "Content-Length: ");
	if (!length) /* 100 Continue */
		return buf_str(b);
	for (size_t left = strtoul(length + strlen("Content-Length: "), NULL, 10); left;) {
		ssize_t n;

		assert_true(buf_reserve(b, left + 1));
		n = recv(fd, b->data + b->len, left, 0);
		assert_true(n > 0);
		b->len += (size_t)n;
		left -= (size_t)n;
	}
	return buf_str(b) + head;
}

static void assert_begins(struct buf *b, const char *text)
{
	if (strncmp(buf_str(b), text, strlen(text)) != 0)
		fail_msg("not %s: %.80s", text, buf_str(b));
}

static struct http_request *wait_for_request(void)
{
	struct http_request *r;

	pthread_mutex_lock(&lock);
	while (!waiting)
		pthread_cond_wait(&changed, &lock);
	r = waiting;
	waiting = NULL;
	pthread_mutex_unlock(&lock);
	return r;
}

/* ---- tests ---- */

/* However the requests are cut and glued together, each gets its answer. */
static void test_pipelines_cut_anywhere(void **state)
{
	static const char text[] = "\r\nGET /name HTTP/1.1\r\nHost: x\r\nX-Name: one\r\n\r\n"
				   "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\ntwo"
				   "GET /name HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nxx"
				   "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
				   "chunked\r\n\r\n2\r\nfo\r\n2\r\nur\r\n0\r\n\r\n"
				   "GET /name HTTP/1.1\r\nHost: x\r\nX-Name: five\r\n\r\n";
	static const char *const answers[] = {"one", "two", "nobody", "four", "five"};
	_cleanup_buf_ struct buf b = {0};

	(void)state;
	for (size_t cut = 0; cut < strlen(text); cut++) {
		int fd = connect_client();

		assert_int_equal(send(fd, text, cut, 0), cut);
		say(fd, text + cut);
		for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
			assert_string_equal(hear(fd, &b), answers[i]);
		close(fd);
	}
}

static void test_one_byte_at_a_time(void **state)
{
	static const char text[] = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked"
				   "\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\n";
	_cleanup_buf_ struct buf b = {0};
	int fd = connect_client();

	(void)state;
	for (size_t i = 0; i < strlen(text); i++)
		assert_int_equal(send(fd, text + i, 1, 0), 1);
	assert_string_equal(hear(fd, &b), "abc");
	close(fd);
}

static void test_how_an_answer_ends(void **state)
{
	static const struct {
		bool stays;
		const char *begins, *request;
	} rows[] = {
		{true, "HTTP/1.1 200 OK\r\n", "GET /name HTTP/1.1\r\nHost: x\r\n\r\n"},
		{false, "HTTP/1.1 200 ",
		 "GET /name HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"},
		{false, "HTTP/1.1 200 ", "GET /name HTTP/1.0\r\n\r\n"},
		{true, "HTTP/1.1 200 ", "GET /name HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"},
		{true, "HTTP/1.1 404 ", "GET /other HTTP/1.1\r\nHost: x\r\n\r\n"},
		{true, "HTTP/1.1 404 ",
		 "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"},
		{true, "HTTP/1.1 405 ", "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"},
		{true, "HTTP/1.1 500 ", "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"},
		{false, "HTTP/1.1 400 ", "GET /name HTTP/1.1\r\n\r\n"},
		{false, "HTTP/1.1 400 ", "\x16\x03\x01"},
		{false, "HTTP/1.1 413 ",
		 "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 30000\r\n\r\n"},
		{false, "HTTP/1.1 413 ",
		 "GET /name HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n"},
		{false, "HTTP/1.1 501 ",
		 "GET /name HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: br\r\n\r\n"},
		{false, "HTTP/1.1 505 ", "GET /name HTTP/3.0\r\nHost: x\r\n\r\n"},
	};
	_cleanup_buf_ struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int fd = connect_client();

		say(fd, rows[i].request);
		hear(fd, &b);
		assert_begins(&b, rows[i].begins);
		assert_true(strstr(buf_str(&b), "\r\nDate: "));
		assert_int_equal(strstr(buf_str(&b), "\r\nConnection: close\r\n") == NULL,
				 rows[i].stays);
		if (rows[i].stays) {
			say(fd, "GET /name HTTP/1.1\r\nHost: x\r\n\r\n");
			assert_string_equal(hear(fd, &b), "nobody");
		} else {
			assert_int_equal(read_byte(fd), -1);
		}
		close(fd);
	}
}

static void test_allowed_methods_are_told(void **state)
{
	_cleanup_buf_ struct buf b = {0};
	int fd = connect_client();

	(void)state;
	say(fd, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
	hear(fd, &b);
	assert_non_null(strstr(buf_str(&b), "\r\nAllow: POST\r\n"));
	say(fd, "POST /name HTTP/1.1\r\nHost: x\r\n\r\n");
	hear(fd, &b);
	assert_non_null(strstr(buf_str(&b), "\r\nAllow: GET, HEAD\r\n"));
	close(fd);
}

static void test_body_is_invited(void **state)
{
	_cleanup_buf_ struct buf b = {0};
	int fd = connect_client();

	(void)state;
	say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
		"Content-Length: 2\r\n\r\n");
	hear(fd, &b);
	assert_string_equal(buf_str(&b), "HTTP/1.1 100 Continue\r\n\r\n");
	say(fd, "hi");
	assert_string_equal(hear(fd, &b), "hi");
	/* Who has sent it already needs no invitation, who sends too much gets none. */
	say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
		"Content-Length: 2\r\n\r\nho");
	assert_string_equal(hear(fd, &b), "ho");
	say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
		"Content-Length: 99999\r\n\r\n");
	hear(fd, &b);
	assert_begins(&b, "HTTP/1.1 413 ");
	close(fd);
}

static void test_large_bodies(void **state)
{
	enum { WANTED = 4096, FORGOTTEN = 1 << 20 };
	_cleanup_buf_ struct buf b = {0};
	_cleanup_free_ char *body = calloc(1, FORGOTTEN + 1);
	int fd = connect_client();

	(void)state;
	memset(body, 'b', FORGOTTEN);
	say(fd, "POST /name HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n");
	say(fd, body);
	hear(fd, &b);
	assert_begins(&b, "HTTP/1.1 405 ");
	body[WANTED] = '\0';
	say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4096\r\n\r\n");
	say(fd, body);
	assert_string_equal(hear(fd, &b), body);
	/* In chunks nobody knows before how large it gets. */
	say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (unsigned i = 0; i < 5; i++) {
		say(fd, "1000\r\n");
		say(fd, body);
		say(fd, "\r\n");
	}
	hear(fd, &b);
	assert_begins(&b, "HTTP/1.1 413 ");
	close(fd);
}

static void test_large_answer_comes_whole(void **state)
{
	_cleanup_buf_ struct buf b = {0};
	int fd = connect_client();

	(void)state;
	say(fd, "GET /large HTTP/1.1\r\nHost: x\r\n\r\nGET /name HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_memory_equal(hear(fd, &b), large, ANSWER_LEN);
	assert_non_null(strstr(b.data, "\r\nContent-Encoding: x\r\n"));
	assert_non_null(strstr(b.data, "\r\nVary: X-Name\r\n"));
	assert_string_equal(hear(fd, &b), "nobody");
	assert_int_equal(released, 1);
	say(fd, "HEAD /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	while (read_byte(fd) >= 0)
		;
	assert_int_equal(released, 2);
	close(fd);
}

/* Whoever does not read is in nobody's way, and gives back what it holds when it goes. */
static void test_reader_that_does_not_read(void **state)
{
	_cleanup_buf_ struct buf b = {0};
	int stuck = connect_client(), fd = connect_client();

	(void)state;
	say(stuck, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(read_byte(stuck) == 'H');
	for (unsigned i = 0; i < 10; i++) {
		say(fd, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
		assert_memory_equal(hear(fd, &b), large, ANSWER_LEN);
	}
	say(fd, "GET /name HTTP/1.1\r\nHost: x\r\n\r\n");
	hear(fd, &b);
	assert_int_equal(released, 10);
	close(stuck);
	close(fd);
	http_server_stop(server);
	server = NULL;
	assert_int_equal(released, 11);
}

/* What is given up is over at once; what has been answered by then is not touched. */
static void test_answers_given_up(void **state)
{
	_cleanup_buf_ struct buf b = {0};
	int stuck = connect_client(), fd = connect_client();
	struct http_request *r;

	(void)state;
	say(stuck, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(read_byte(stuck) == 'H');
	r = wait_for_request();
	for (unsigned i = 0; i < 3; i++)
		http_give_up(r);
	for (size_t n = 0; read_byte(stuck) >= 0; n++)
		assert_true(n < ANSWER_LEN);
	assert_int_equal(released, 1);
	close(stuck);

	say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	r = wait_for_request();
	http_give_up(r);
	http_resume(r);
	assert_int_equal(read_byte(fd), -1);
	close(fd);
	pthread_mutex_lock(&lock);
	while (!n_gone)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);

	fd = connect_client();
	say(fd, "GET /name HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_string_equal(hear(fd, &b), "nobody");
	close(fd);
}

static void test_later(void **state)
{
	_cleanup_buf_ struct buf b = {0};
	int fd = connect_client();
	struct http_request *r;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
		http_resume(wait_for_request());
		assert_string_equal(hear(fd, &b), "at last");
	}
	say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	r = wait_for_request();
	close(fd);
	/* The other one's answer shows that the server has seen the end of the first. */
	fd = connect_client();
	say(fd, "GET /name HTTP/1.1\r\nHost: x\r\n\r\n");
	hear(fd, &b);
	http_resume(r);
	pthread_mutex_lock(&lock);
	while (!n_gone)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	close(fd);
}

static void *stop_server(void *arg)
{
	http_server_stop(server);
	return arg;
}

static void test_stop_waits_for_what_is_promised(void **state)
{
	int fd = connect_client(), silent = connect_client();
	struct http_request *r;
	pthread_t thread;

	(void)state;
	say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	r = wait_for_request();
	assert_int_equal(pthread_create(&thread, NULL, stop_server, NULL), 0);
	http_resume(r);
	pthread_join(thread, NULL);
	server = NULL;
	close(fd);
	close(silent);
}

/* More than there are places: the newcomer is served, the oldest that is idle goes. */
static void test_newcomers_get_a_place(void **state)
{
	int fds[3 * CONNECTIONS_MAX];
	_cleanup_buf_ struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = connect_client();
		say(fds[i], "GET /name HTTP/1.1\r\nHost: x\r\n\r\n");
		assert_string_equal(hear(fds[i], &b), "nobody");
	}
	/* All come from one peer, which has no more than half of them. */
	for (size_t i = 0; i < ARRAY_SIZE(fds) - CONNECTIONS_MAX / 2; i++)
		assert_int_equal(read_byte(fds[i]), -1);
	for (size_t i = ARRAY_SIZE(fds) - CONNECTIONS_MAX / 2; i < ARRAY_SIZE(fds); i++) {
		say(fds[i], "GET /name HTTP/1.1\r\nHost: x\r\n\r\n");
		assert_string_equal(hear(fds[i], &b), "nobody");
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

static int make(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "%s/socket", mkdtemp(dir));
	large = malloc(ANSWER_LEN);
	for (size_t i = 0; i < ANSWER_LEN; i++)
		large[i] = (char)('a' + i % 23);
	return 0;
}

static int drop(void **state)
{
	(void)state;
	free(large);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pipelines_cut_anywhere, start, stop),
		cmocka_unit_test_setup_teardown(test_one_byte_at_a_time, start, stop),
		cmocka_unit_test_setup_teardown(test_how_an_answer_ends, start, stop),
		cmocka_unit_test_setup_teardown(test_allowed_methods_are_told, start, stop),
		cmocka_unit_test_setup_teardown(test_body_is_invited, start, stop),
		cmocka_unit_test_setup_teardown(test_large_bodies, start, stop),
		cmocka_unit_test_setup_teardown(test_large_answer_comes_whole, start, stop),
		cmocka_unit_test_setup_teardown(test_reader_that_does_not_read, start, stop),
		cmocka_unit_test_setup_teardown(test_answers_given_up, start, stop),
		cmocka_unit_test_setup_teardown(test_later, start, stop),
		cmocka_unit_test_setup_teardown(test_stop_waits_for_what_is_promised, start, stop),
		cmocka_unit_test_setup_teardown(test_newcomers_get_a_place, start, stop),
	};

	return cmocka_run_group_tests(tests, make, drop);
}
