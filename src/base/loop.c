// SPDX-License-Identifier: MIT
#include "base/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/cleanup.h"
#include "base/macro.h"

struct watch {
	struct watch *next;
	loop_fn fn;
	void *ctx;
};

struct loop {
	int epoll_fd;
	bool stopped;
	struct watch *watches;

	int post_fd; /* eventfd: there are calls */
	pthread_mutex_t lock;
	struct loop_call *first, *last;
	bool drained;
};

/* In the order in which they came. */
static void do_calls(void *ctx)
{
	struct loop *l = ctx;
	struct loop_call *call;
	uint64_t count;

	if (read(l->post_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return;
	pthread_mutex_lock(&l->lock);
	call = l->first;
	l->first = l->last = NULL;
	pthread_mutex_unlock(&l->lock);
	while (call) {
		struct loop_call *next = call->next;

		call->fn(call->ctx);
		call = next;
	}
}

int loop_post(struct loop *l, struct loop_call *call)
{
	const uint64_t one = 1;
	int err = 0;

	call->next = NULL;
	pthread_mutex_lock(&l->lock);
	if (l->drained) {
		err = -ESHUTDOWN;
	} else {
		if (l->last)
			l->last->next = call;
		else
			l->first = call;
		l->last = call;
		/* Cannot fail but for a counter that is full, and then the loop is awake. */
		if (write(l->post_fd, &one, sizeof(one)) < 0)
			err = 0;
	}
	pthread_mutex_unlock(&l->lock);
	return err;
}

void loop_drain(struct loop *l)
{
	pthread_mutex_lock(&l->lock);
	l->drained = true;
	pthread_mutex_unlock(&l->lock);
	do_calls(l);
}

int loop_new(struct loop **ret)
{
	struct loop *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	pthread_mutex_init(&l->lock, NULL);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->post_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = l->epoll_fd < 0 || l->post_fd < 0 ? -errno : loop_add(l, l->post_fd, do_calls, l);
	if (err) {
		loop_free(l);
		return err;
	}
	*ret = l;
	return 0;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->watches) {
		struct watch *w = l->watches;

		l->watches = w->next;
		free(w);
	}
	fd_close(l->epoll_fd);
	fd_close(l->post_fd);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

int loop_add(struct loop *l, int fd, loop_fn fn, void *ctx)
{
	struct watch *w = malloc(sizeof(*w));
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = w};

	if (!w)
		return -ENOMEM;
	*w = (struct watch){.next = l->watches, .fn = fn, .ctx = ctx};
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
		int err = -errno;

		free(w);
		return err;
	}
	l->watches = w;
	return 0;
}

int loop_run(struct loop *l)
{
	struct epoll_event events[8];

	while (!l->stopped) {
		int n = epoll_wait(l->epoll_fd, events, ARRAY_SIZE(events), -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n && !l->stopped; i++) {
			struct watch *w = events[i].data.ptr;

			w->fn(w->ctx);
		}
	}
	return 0;
}

void loop_stop(struct loop *l)
{
	l->stopped = true;
}
