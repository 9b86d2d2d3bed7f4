// SPDX-License-Identifier: MIT
#include "base/loop.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>

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
};

int loop_new(struct loop **ret)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0) {
		int err = -errno;

		free(l);
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
