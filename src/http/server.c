// SPDX-License-Identifier: MIT
#include "http/server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/server_state.h"

enum {
	EVENTS_AT_ONCE = 64,
	ACCEPTS_AT_ONCE = 64,
	/* Inputs whose memory is kept when their connections are gone: more are an attack, or its
	 * end. */
	INPUTS_KEPT = 64,
};

/* After that, one who waits without descriptors tries again. */
#define DESCRIPTORS_AGAIN_NS (100 * NSEC_PER_MSEC)

/* So often, at most, the files of the web config are looked at. */
#define LOOK_AGAIN_NS NSEC_PER_SEC

/* ---- seats ---- */

static char *input_of(const struct http_server *s, const struct connection *c)
{
	size_t index = (size_t)((char *)c - s->seats.memory) / s->seats.size;

	return s->inputs + index * INPUT_SIZE;
}

void server_give_back(struct http_server *s, struct connection *c)
{
	seats_give_back(&s->seats, &c->seat);
	if (s->seats.n_taken > INPUTS_KEPT)
		madvise(c->input, INPUT_SIZE, MADV_DONTNEED);
}

void server_add_ready(struct http_server *s, struct connection *c)
{
	if (c->is_ready)
		return;
	c->is_ready = true;
	c->next_ready = s->ready ? s->ready->next_ready : c;
	if (s->ready)
		s->ready->next_ready = c;
	s->ready = c;
}

/* In the order in which they came; what is added meanwhile has to wait for the next time. */
static void run_ready(struct http_server *s)
{
	struct connection *last = s->ready, *c = last ? last->next_ready : NULL;

	s->ready = NULL;
	while (c) {
		struct connection *next = c == last ? NULL : c->next_ready;

		c->is_ready = false;
		/* It may be closed by now, or be another one: both do no harm. */
		if (c->state != STATE_CLOSED && connection_run(c))
			server_add_ready(s, c);
		c = next;
	}
}

/* ---- newcomers ---- */

static void listen_again(struct http_server *s, bool on)
{
	struct epoll_event event = {.events = on ? EPOLLIN : 0, .data.ptr = s};

	if (s->listens == on)
		return;
	s->listens = on;
	s->listen_again_ns = s->now_ns + DESCRIPTORS_AGAIN_NS;
	epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, s->options.listen_fd, &event);
}

static bool send_away(struct seat *victim)
{
	if (victim)
		connection_close(CONTAINER_OF(victim, struct connection, seat));
	return victim != NULL;
}

static void take_in(struct http_server *s, int fd, const struct sockaddr *from)
{
	uint16_t peer = seats_peer(&s->seats, from);
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
	struct seat *seat, *victim;
	struct connection *c;
	const int on = 1;

	if (!seats_has_room(&s->seats, peer, &victim) && !send_away(victim)) {
		fd_close(fd);
		return;
	}
	if (from->sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	seat = seats_take(&s->seats, peer, s->now_ns);
	c = CONTAINER_OF(seat, struct connection, seat);
	c->request.server = s;
	c->input = input_of(s, c);
	event.data.ptr = c;
	if (connection_open(c, fd, s->security))
		return;
	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		connection_close(c);
}

/* ---- what is to be kept to ---- */

static void take_security(struct http_server *s, struct http_security *security)
{
	struct http_security *before = s->security;

	pthread_mutex_lock(&s->lock);
	s->security = security;
	pthread_mutex_unlock(&s->lock);
	s->retries = false;
	security_unref(before);
}

struct http_security *http_server_security(struct http_server *s)
{
	struct http_security *security;

	pthread_mutex_lock(&s->lock);
	security = security_ref(s->security);
	pthread_mutex_unlock(&s->lock);
	return security;
}

/*
 * The files have changed. Certificate and key are seldom replaced in one step: what does not fit at
 * first is tried again a second later, and only then told.
 */
static void read_security_again(struct http_server *s)
{
	const char *path = s->security->config->source.name;
	_cleanup_report_ struct report report = {0};
	struct http_security *fresh;
	int err = security_load(path, s->security, &report, &fresh);

	if (!err) {
		log_info("'%s' or a file that it names has changed and was read again", path);
		take_security(s, fresh);
	} else if (s->retries) {
		log_error("what has changed in '%s' is refused, what was before goes on:\n%s", path,
			  err == -ENOMEM ? "no memory" : buf_str(&report.text));
	}
	s->retries = err && !s->retries;
}

static void renew_security(struct http_server *s)
{
	if (!s->security || s->now_ns - s->looked_ns < LOOK_AGAIN_NS)
		return;
	s->looked_ns = s->now_ns;
	if (security_has_changed(s->security) || s->retries)
		read_security_again(s);
}

/* Nothing can be had of the system now. Someone has to go, or all have to wait. */
static bool make_descriptor(struct http_server *s, int err)
{
	if (err != EMFILE && err != ENFILE && err != ENOBUFS && err != ENOMEM)
		return err == ECONNABORTED || err == EINTR;
	if (log_due(&s->warned_ns))
		log_warn("no descriptor for a new HTTP connection: %s", strerror(err));
	if (send_away(seats_victim(&s->seats)))
		return true;
	listen_again(s, false);
	return false;
}

static void accept_some(struct http_server *s)
{
	for (unsigned i = 0; i < ACCEPTS_AT_ONCE; i++) {
		struct sockaddr_storage from = {0};
		socklen_t len = sizeof(from);
		int fd = accept4(s->options.listen_fd, (struct sockaddr *)&from, &len,
				 SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0)
			take_in(s, fd, (struct sockaddr *)&from);
		else if (!make_descriptor(s, errno))
			return;
	}
}

/* ---- what other threads say ---- */

static void wake(struct http_server *s)
{
	const uint64_t one = 1;

	if (write(s->wake_fd, &one, sizeof(one)) < 0)
		log_debug("the HTTP server is awake already");
}

bool server_add_suspended(struct http_server *s)
{
	bool stopping;

	pthread_mutex_lock(&s->lock);
	stopping = s->stopping;
	s->suspended += !stopping;
	pthread_mutex_unlock(&s->lock);
	return !stopping;
}

void server_take_back_suspended(struct http_server *s)
{
	pthread_mutex_lock(&s->lock);
	s->suspended--;
	pthread_mutex_unlock(&s->lock);
}

void http_server_secure(struct http_server *s, struct http_security *security)
{
	struct http_security *unused;

	pthread_mutex_lock(&s->lock);
	unused = s->next_security;
	s->next_security = security;
	wake(s);
	pthread_mutex_unlock(&s->lock);
	security_unref(unused);
}

void http_resume(struct http_request *r)
{
	struct http_server *s = r->server;
	struct connection *c = connection_of(r);

	pthread_mutex_lock(&s->lock);
	c->next_resumed = s->resumed;
	s->resumed = c;
	wake(s); /* below the lock: a moment later the server may be gone */
	pthread_mutex_unlock(&s->lock);
}

void http_give_up(struct http_request *r)
{
	struct http_server *s = r->server;
	struct connection *c = connection_of(r);

	pthread_mutex_lock(&s->lock);
	c->given_up = true;
	if (!c->is_listed) {
		c->is_listed = true;
		c->next_given_up = s->given_up;
		s->given_up = c;
	}
	wake(s);
	pthread_mutex_unlock(&s->lock);
}

void server_forget_given_up(struct http_server *s, struct connection *c)
{
	pthread_mutex_lock(&s->lock);
	c->given_up = false;
	pthread_mutex_unlock(&s->lock);
}

/* Gives up what is still to be given up. */
static void take_given_up(struct http_server *s)
{
	struct connection *c;

	do {
		bool given_up;

		pthread_mutex_lock(&s->lock);
		c = s->given_up;
		given_up = c && c->given_up;
		if (c) {
			s->given_up = c->next_given_up;
			c->is_listed = false;
		}
		pthread_mutex_unlock(&s->lock);
		if (given_up)
			connection_give_up(c);
	} while (c);
}

/* What was said so far; whether the thread is to end. */
static bool take_messages(struct http_server *s)
{
	struct http_security *security;
	struct connection *c, *next;
	bool end, stopping;

	pthread_mutex_lock(&s->lock);
	security = s->next_security;
	s->next_security = NULL;
	c = s->resumed;
	s->resumed = NULL;
	for (next = c; next; next = next->next_resumed)
		s->suspended--;
	end = s->stopping && s->suspended == 0;
	stopping = s->stopping;
	pthread_mutex_unlock(&s->lock);
	if (security)
		take_security(s, security);
	if (stopping && s->security && s->security->auth)
		auth_stop(s->security->auth);
	/* What was given up before it was resumed is not answered any more. */
	take_given_up(s);
	for (; c; c = next) {
		next = c->next_resumed;
		connection_resume(c);
	}
	return end;
}

/* ---- the loop ---- */

static void on_event(struct http_server *s, const struct epoll_event *event)
{
	struct connection *c = event->data.ptr;
	uint64_t count;

	if (event->data.ptr == s) {
		accept_some(s);
	} else if (event->data.ptr == &s->wake_fd) {
		if (read(s->wake_fd, &count, sizeof(count)) < 0)
			log_debug("the HTTP server was woken for nothing");
	} else if (c->state == STATE_LATER) {
		c->gone |= (event->events & (EPOLLERR | EPOLLHUP)) != 0;
	} else if (c->state != STATE_CLOSED) {
		server_add_ready(s, c);
	}
}

static void expire(struct http_server *s)
{
	struct seat *seat;

	while ((seat = seats_expired(&s->seats, s->now_ns)))
		connection_expire(CONTAINER_OF(seat, struct connection, seat));
	if (!s->listens && s->now_ns >= s->listen_again_ns)
		listen_again(s, true);
}

/* For epoll_wait(2): until the next thing that has its time. */
static int next_timeout(const struct http_server *s)
{
	uint64_t at = s->seats.earliest_ns;

	if (s->ready)
		return 0;
	if (!s->listens)
		at = MIN(at, s->listen_again_ns);
	if (at == UINT64_MAX)
		return -1;
	return at <= s->now_ns ? 0 : (int)((at - s->now_ns) / NSEC_PER_MSEC) + 1;
}

static void close_all(struct http_server *s)
{
	for (size_t i = 0; i < s->seats.count; i++) {
		struct connection *c = (struct connection *)seats_at(&s->seats, i);

		if (c->request.server && c->state != STATE_CLOSED)
			connection_close(c);
	}
}

static void *serve(void *arg)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	struct http_server *s = arg;

	do {
		int n = epoll_wait(s->epoll_fd, events, ARRAY_SIZE(events), next_timeout(s));

		s->now_ns = clock_monotonic_ns();
		renew_security(s);
		for (int i = 0; i < n; i++)
			on_event(s, &events[i]);
		run_ready(s);
		expire(s);
	} while (!take_messages(s));
	run_ready(s); /* the last answers, as far as they go at once */
	close_all(s);
	return NULL;
}

/* ---- life ---- */

static int watch(struct http_server *s, int fd, void *ptr)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = ptr};

	return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int set_up(struct http_server *s)
{
	size_t inputs = s->options.connections_max * INPUT_SIZE;
	int flags = fcntl(s->options.listen_fd, F_GETFL);
	int err = seats_init(&s->seats, s->options.connections_max, sizeof(struct connection));

	if (err)
		return err;
	/* Of pages, so that those of connections that are gone can be given back. */
	s->inputs = aligned_alloc((size_t)sysconf(_SC_PAGESIZE), inputs);
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!s->inputs || s->epoll_fd < 0 || s->wake_fd < 0 || flags < 0 ||
	    fcntl(s->options.listen_fd, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	err = watch(s, s->options.listen_fd, s);
	return err ? err : watch(s, s->wake_fd, &s->wake_fd);
}

static void server_free(struct http_server *s)
{
	free(s->inputs);
	seats_free(&s->seats);
	security_unref(s->security);
	security_unref(s->next_security);
	fd_close(s->epoll_fd);
	fd_close(s->wake_fd);
	fd_close(s->options.listen_fd);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

int http_server_start(const struct http_server_options *options, struct http_server **ret,
		      struct error *e)
{
	struct http_server *s = calloc(1, sizeof(*s));
	int err;

	if (!s) {
		fd_close(options->listen_fd);
		security_unref(options->security);
		return error_set(e, -ENOMEM, "no memory for the HTTP server");
	}
	s->options = *options;
	s->security = options->security;
	s->epoll_fd = s->wake_fd = -1;
	s->listens = true;
	pthread_mutex_init(&s->lock, NULL);
	err = set_up(s);
	if (!err)
		err = -pthread_create(&s->thread, NULL, serve, s);
	if (err) {
		server_free(s);
		return error_set(e, err, "cannot start the HTTP server: %s", strerror(-err));
	}
	*ret = s;
	return 0;
}

void http_server_stop(struct http_server *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	wake(s);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	server_free(s);
}
