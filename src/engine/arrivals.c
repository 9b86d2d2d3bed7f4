// SPDX-License-Identifier: MIT
#include "engine/arrivals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/cleanup.h"
#include "base/macro.h"

int arrivals_open(struct arrivals *a)
{
	*a = (struct arrivals){.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	return a->event_fd < 0 ? -errno : 0;
}

void arrivals_close(struct arrivals *a)
{
	fd_close(a->event_fd);
	free(a->ids);
	*a = (struct arrivals){.event_fd = -1};
}

static bool grow(struct arrivals *a)
{
	size_t cap = MAX(a->cap * 2, (size_t)64);
	uint32_t *ids;

	/* What was taken leaves its room in front. */
	if (a->head) {
		memmove(a->ids, a->ids + a->head, a->count * sizeof(*a->ids));
		a->head = 0;
	}
	if (a->count < a->cap)
		return true;
	ids = reallocarray(a->ids, cap, sizeof(*ids));
	if (!ids)
		return false;
	a->ids = ids;
	a->cap = cap;
	return true;
}

int arrivals_add(struct arrivals *a, uint32_t id)
{
	const uint64_t one = 1;

	if (a->head + a->count == a->cap && !grow(a))
		return -ENOMEM;
	a->ids[a->head + a->count++] = id;
	if (a->count == 1 && write(a->event_fd, &one, sizeof(one)) < 0)
		return -errno;
	return 0;
}

bool arrivals_take(struct arrivals *a, uint32_t *ret_id)
{
	uint64_t ignored;

	if (a->count == 0)
		return false;
	*ret_id = a->ids[a->head++];
	/* With the last one taken, the descriptor must not wake the loop again. */
	return --a->count > 0 || read(a->event_fd, &ignored, sizeof(ignored)) > 0;
}
