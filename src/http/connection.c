// SPDX-License-Identifier: MIT
#include "http/connection.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "http/server_state.h"

/* What a step of a connection comes to. */
enum step {
	STEP_ON,   /* there may be more to do at once */
	STEP_WAIT, /* until the socket changes, or the answer is made */
	STEP_CLOSE,
};

/* Steps of one connection before it is the others' turn. */
enum { STEPS_IN_A_ROW = 16 };

/* At once to the kernel, and so, in between, to all others. */
enum { WRITE_MAX = 1 << 20 };

/* No reader of a network that works is slower on the whole. */
enum { READER_SLOWEST_BYTES_PER_SEC = 16 << 10 };

#define SECONDS(n) ((n)*NSEC_PER_SEC)

static const struct {
	enum seat_use use;
	struct seat_limits limits;
} states[] = {
	[STATE_HANDSHAKE] = {SEAT_READING, {SECONDS(5), SECONDS(10)}},
	[STATE_HEAD] = {SEAT_READING, {SECONDS(5), SECONDS(10)}},
	[STATE_BODY] = {SEAT_READING, {SECONDS(5), SECONDS(60)}},
	[STATE_LATER] = {SEAT_KEPT, {UINT64_MAX, UINT64_MAX}},
	[STATE_ANSWER] = {SEAT_WRITING, {SECONDS(10), SECONDS(10)}},
	[STATE_LINGER] = {SEAT_IDLE, {SECONDS(2), SECONDS(5)}},
};

/* Between two requests: a scraper that comes each minute finds its connection again. */
static const struct seat_limits idle_limits = {SECONDS(90), SECONDS(90)};

static struct seats *seats_of(struct connection *c)
{
	return &c->request.server->seats;
}

static uint64_t now_of(const struct connection *c)
{
	return c->request.server->now_ns;
}

static void set_state(struct connection *c, enum connection_state state)
{
	c->state = state;
	seats_use(seats_of(c), &c->seat, states[state].use, states[state].limits, now_of(c));
}

static void touch(struct connection *c)
{
	seats_touch(seats_of(c), &c->seat, now_of(c));
}

/* ---- a request begins and ends ---- */

static void begin_request(struct connection *c)
{
	struct http_request *r = &c->request;

	r->head = (struct head){0};
	r->route = NULL;
	r->body = NULL;
	r->body_len = 0;
	r->later = (struct http_later){0};
	r->close = false;
	r->answer = (struct answer){0};
	c->scanned = 0;
	set_state(c, STATE_HEAD);
}

/* What the client has sent behind the last request moves to the front. */
static void next_request(struct connection *c)
{
	c->input_len -= c->at;
	memmove(c->input, c->input + c->at, c->input_len);
	c->at = 0;
	begin_request(c);
	if (c->input_len == 0)
		seats_use(seats_of(c), &c->seat, SEAT_IDLE, idle_limits, now_of(c));
}

int connection_open(struct connection *c, int fd, struct http_security *security)
{
	c->stream = (struct stream){.fd = fd};
	c->security = security_ref(security);
	c->gone = false;
	c->input_len = c->at = 0;
	begin_request(c);
	set_state(c, STATE_HANDSHAKE);
	if (security && security->tls && tls_open(security->tls, fd, &c->stream.tls)) {
		connection_close(c);
		return -ENOMEM;
	}
	server_add_ready(c->request.server, c);
	return 0;
}

void connection_close(struct connection *c)
{
	answer_release(&c->request);
	server_forget_given_up(c->request.server, c);
	stream_close(&c->stream);
	security_unref(c->security);
	c->security = NULL;
	c->state = STATE_CLOSED;
	server_give_back(c->request.server, c);
}

/* ---- answering ---- */

/* An answer or a promise of one has been given. */
static enum step after_handler(struct connection *c)
{
	struct answer *a = &c->request.answer;
	const uint64_t slowest = a->body_len / READER_SLOWEST_BYTES_PER_SEC;

	if (c->state == STATE_LATER)
		return STEP_WAIT;
	if (!a->status)
		answer_status(&c->request, 500);
	set_state(c, STATE_ANSWER);
	c->seat.limits.whole_ns += SECONDS(slowest);
	return STEP_ON;
}

static enum step answer_with(struct connection *c, unsigned status)
{
	answer_status(&c->request, status);
	return after_handler(c);
}

/* What follows on this connection could be understood in two ways, or is too much. */
static enum step refuse(struct connection *c, unsigned status)
{
	c->request.close = true;
	return answer_with(c, status);
}

/* Who answers, or why nobody does. Whoever asks for what is not there learns that, by whatever
 * method. */
static const struct http_route *find_route(const struct http_request *r, unsigned *ret_status)
{
	const struct http_server_options *o = &r->server->options;
	bool get = STREQ(r->head.method, "GET") || STREQ(r->head.method, "HEAD");
	bool post = STREQ(r->head.method, "POST");

	for (size_t i = 0; i < o->n_routes; i++) {
		const struct http_route *route = &o->routes[i];

		if (!STREQ(route->path, r->head.path))
			continue;
		*ret_status = (route->method == HTTP_POST ? post : get) ? 0 : 405;
		return route;
	}
	*ret_status = 404;
	return NULL;
}

static void handle(struct http_request *r)
{
	if (r->unroutable)
		answer_status(r, r->unroutable);
	else
		r->route->handle(r->route->ctx, r);
}

static void handle_asker(struct http_request *r, enum auth_verdict verdict)
{
	if (verdict == AUTH_YES)
		handle(r);
	else
		answer_status(r, verdict == AUTH_NO ? 401 : 429);
}

static void on_verdict(void *ctx, struct http_request *r)
{
	(void)ctx;
	handle_asker(r, r->question.verdict);
}

static void on_verdict_unheard(void *ctx)
{
	(void)ctx;
}

/* In the thread that checks. */
static void verdict_found(struct auth_question *q)
{
	http_resume(CONTAINER_OF(q, struct http_request, question));
}

/* The promise is given first: the other thread may be quick. */
static void ask_who(struct connection *c)
{
	const struct http_later later = {on_verdict, on_verdict_unheard, NULL};
	struct http_request *r = &c->request;
	enum auth_verdict verdict;

	r->question = (struct auth_question){.done = verdict_found};
	if (!http_suspend(r, later))
		return;
	verdict = auth_ask(c->security->auth, http_header(r, "Authorization"), c->seat.peer,
			   &r->question);
	if (verdict == AUTH_LATER)
		return;
	server_take_back_suspended(r->server);
	c->state = STATE_ANSWER;
	handle_asker(r, verdict);
}

static enum step dispatch(struct connection *c)
{
	/* Since it came, the rules may have changed. */
	c->request.close |= c->security != c->request.server->security;
	if (c->security && c->security->auth)
		ask_who(c);
	else
		handle(&c->request);
	return after_handler(c);
}

bool http_suspend(struct http_request *r, struct http_later later)
{
	struct connection *c = connection_of(r);

	if (!server_add_suspended(r->server)) {
		http_respond_text(r, 503, "503: the daemon is stopping\n");
		return false;
	}
	r->later = later;
	set_state(c, STATE_LATER);
	return true;
}

void connection_resume(struct connection *c)
{
	struct http_later later = c->request.later;

	if (c->gone) {
		later.gone(later.ctx);
		connection_close(c);
		return;
	}
	c->state = STATE_ANSWER; /* unless it suspends again */
	later.ready(later.ctx, &c->request);
	after_handler(c);
	server_add_ready(c->request.server, c);
}

/* ---- steps ---- */

/* Who speaks HTTP where TLS is expected learns that in HTTP. */
static enum step refuse_plain(struct connection *c)
{
	stream_make_plain(&c->stream);
	c->request.close = true;
	http_respond_text(&c->request, 400,
			  "400: TLS is spoken here; the address begins with "
			  "https://\n");
	return after_handler(c);
}

static enum step step_handshake(struct connection *c)
{
	int err = stream_handshake(&c->stream);

	if (err == -EAGAIN)
		return STEP_WAIT;
	if (err == -EPROTO)
		return refuse_plain(c);
	if (err || (c->stream.tls && !tls_is_acceptable(c->security->tls, c->stream.tls)))
		return STEP_CLOSE;
	set_state(c, STATE_HEAD);
	return STEP_ON;
}

/* Reads what there is, as far as there is room. */
static enum step fill(struct connection *c)
{
	ssize_t n = stream_read(&c->stream, c->input + c->input_len, INPUT_SIZE - c->input_len);

	if (n == -EAGAIN)
		return STEP_WAIT;
	if (n <= 0)
		return STEP_CLOSE;
	c->input_len += (size_t)n;
	if (c->seat.use == SEAT_IDLE)
		set_state(c, STATE_HEAD);
	else
		touch(c);
	return STEP_ON;
}

static bool wants_body(const struct http_request *r)
{
	return r->route && r->route->method == HTTP_POST;
}

static bool body_fits(const struct connection *c)
{
	return c->request.head.content_length <= INPUT_SIZE - c->head_len;
}

/* The client waits for a word before it sends the body. */
static enum step invite_body(struct connection *c)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	const struct iovec piece = {(void *)text, strlen(text)};

	/* All before has been read by the other side, so there is room. */
	return stream_write(&c->stream, &piece, 1) == (ssize_t)piece.iov_len ? STEP_ON : STEP_CLOSE;
}

static enum step begin_body(struct connection *c)
{
	struct http_request *r = &c->request;
	unsigned status;

	r->route = find_route(r, &r->unroutable);
	r->close = !r->head.keep_alive;
	c->body_end = c->at = c->head_len;
	status = body_begin(&r->framing, &r->head);
	if (!status && wants_body(r) && !body_fits(c))
		status = 413;
	if (status)
		return refuse(c, status);
	set_state(c, STATE_BODY);
	if (r->head.expects_continue && r->framing.state != BODY_DONE && c->at == c->input_len)
		return invite_body(c);
	return STEP_ON;
}

static enum step step_head(struct connection *c)
{
	size_t blank = head_skip_blank(c->input, c->input_len), len;
	unsigned status;

	if (blank) {
		c->input_len -= blank;
		memmove(c->input, c->input + blank, c->input_len);
		c->scanned = 0;
	}
	status = head_find_end(c->input, c->input_len, &c->scanned, &len);
	if (!status && len == 0)
		return fill(c);
	if (!status) {
		c->head_len = len;
		status = head_parse(c->input, len, &c->request.head);
	}
	return status ? refuse(c, status) : begin_body(c);
}

/* Looks at what has arrived of the body, and keeps the content for who wants it. */
static unsigned take_body(struct connection *c)
{
	struct http_request *r = &c->request;

	while (c->at < c->input_len && r->framing.state != BODY_DONE) {
		size_t used, content;
		unsigned status = body_take(&r->framing, c->input + c->at, c->input_len - c->at,
					    &used, &content);

		if (status)
			return status;
		c->at += used;
		if (!wants_body(r))
			continue;
		memmove(c->input + c->body_end, c->input + c->at - content, content);
		c->body_end += content;
	}
	return 0;
}

static enum step step_body(struct connection *c)
{
	struct http_request *r = &c->request;
	unsigned status = take_body(c);

	if (status)
		return refuse(c, status);
	if (r->framing.state == BODY_DONE) {
		r->body = c->input + c->head_len;
		r->body_len = c->body_end - c->head_len;
		return dispatch(c);
	}
	c->input_len = c->at = c->body_end;
	return c->input_len < INPUT_SIZE ? fill(c) : refuse(c, 413);
}

static enum step step_later(struct connection *c)
{
	(void)c;
	return STEP_WAIT;
}

/* What is left of a piece after *sent bytes, which count from its beginning. */
static struct iovec rest_of(const void *data, size_t len, size_t *sent)
{
	size_t skip = MIN(*sent, len);

	*sent -= skip;
	return (struct iovec){(char *)data + skip, MIN(len - skip, (size_t)WRITE_MAX)};
}

static ssize_t write_some(struct connection *c)
{
	struct http_request *r = &c->request;
	const struct answer *a = &r->answer;
	size_t sent = a->sent;
	struct iovec pieces[] = {
		rest_of(r->output, a->head_len, &sent),
		rest_of(a->headers->data, a->headers->len, &sent),
		rest_of(a->body, a->body_len, &sent),
	};

	return stream_write(&c->stream, pieces, ARRAY_SIZE(pieces));
}

static enum step step_answer(struct connection *c)
{
	struct answer *a = &c->request.answer;
	ssize_t n = write_some(c);

	if (n == -EAGAIN)
		return STEP_WAIT;
	if (n < 0)
		return STEP_CLOSE;
	touch(c);
	a->sent += (size_t)n;
	if (a->sent < a->head_len + a->headers->len + a->body_len)
		return STEP_ON;
	answer_release(&c->request);
	if (!c->request.close) {
		next_request(c);
		return STEP_ON;
	}
	stream_shut(&c->stream);
	set_state(c, STATE_LINGER);
	return STEP_ON;
}

static enum step step_linger(struct connection *c)
{
	ssize_t n = recv(c->stream.fd, c->input, INPUT_SIZE, 0);

	if (n < 0 && errno == EAGAIN)
		return STEP_WAIT;
	return n > 0 ? STEP_ON : STEP_CLOSE;
}

static enum step (*const steps[])(struct connection *c) = {
	[STATE_HANDSHAKE] = step_handshake, [STATE_HEAD] = step_head,
	[STATE_BODY] = step_body,           [STATE_LATER] = step_later,
	[STATE_ANSWER] = step_answer,       [STATE_LINGER] = step_linger,
};

bool connection_run(struct connection *c)
{
	for (unsigned i = 0; i < STEPS_IN_A_ROW; i++) {
		enum step step = steps[c->state](c);

		if (step == STEP_ON)
			continue;
		if (step == STEP_CLOSE)
			connection_close(c);
		return false;
	}
	return true;
}

void connection_expire(struct connection *c)
{
	bool asked = (c->state == STATE_HEAD && c->input_len) || c->state == STATE_BODY;

	if (asked) {
		refuse(c, 408);
		server_add_ready(c->request.server, c);
	} else {
		connection_close(c);
	}
}

void connection_give_up(struct connection *c)
{
	if (c->state == STATE_LATER)
		c->gone = true;
	else if (c->state == STATE_ANSWER)
		connection_close(c);
}
