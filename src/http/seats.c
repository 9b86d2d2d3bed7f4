// SPDX-License-Identifier: MIT
#include "http/seats.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#include "base/macro.h"

static void list_init(struct seat *list)
{
	list->prev = list->next = list;
}

static void list_remove(struct seat *p)
{
	p->prev->next = p->next;
	p->next->prev = p->prev;
}

static void list_add_tail(struct seat *list, struct seat *p)
{
	p->prev = list->prev;
	p->next = list;
	list->prev->next = p;
	list->prev = p;
}

struct seat *seats_at(const struct seats *p, size_t index)
{
	return (struct seat *)(p->memory + index * p->size);
}

int seats_init(struct seats *p, size_t count, size_t size)
{
	*p = (struct seats){.size = size, .count = count, .earliest_ns = UINT64_MAX};
	p->memory = calloc(count, size);
	if (!p->memory)
		return -ENOMEM;
	list_init(&p->free);
	for (size_t i = 0; i < SEAT_USES; i++)
		list_init(&p->used[i]);
	/* Which addresses share a counter is nobody's to choose. */
	if (getrandom(&p->seed, sizeof(p->seed), GRND_NONBLOCK) != sizeof(p->seed))
		p->seed = (uintptr_t)p;
	return 0;
}

void seats_free(struct seats *p)
{
	free(p->memory);
	p->memory = NULL;
}

uint16_t seats_peer(const struct seats *p, const struct sockaddr *address)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const void *bytes = NULL;
	size_t len = 0;

	if (address->sa_family == AF_INET) {
		bytes = &v4->sin_addr;
		len = sizeof(v4->sin_addr);
	} else if (address->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		bytes = &v6->sin6_addr.s6_addr[12];
		len = 4;
	} else if (address->sa_family == AF_INET6) {
		bytes = &v6->sin6_addr;
		len = 8;
	}
	return (uint16_t)(XXH3_64bits_withSeed(bytes, len, p->seed) % SEATS_PEERS);
}

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t deadline_of(const struct seat *seat)
{
	return MIN(add_saturated(seat->since_ns, seat->limits.silence_ns),
		   add_saturated(seat->begun_ns, seat->limits.whole_ns));
}

struct seat *seats_take(struct seats *p, uint16_t peer, uint64_t now_ns)
{
	const struct seat_limits none = {UINT64_MAX, UINT64_MAX};
	struct seat *seat = p->free.next;

	if (seat == &p->free) {
		if (p->n_touched == p->count)
			return NULL;
		seat = seats_at(p, p->n_touched++);
		list_init(seat);
	}
	seat->peer = peer;
	p->taken_by[peer]++;
	p->n_taken++;
	seats_use(p, seat, SEAT_READING, none, now_ns);
	return seat;
}

/* The next one gets it: its memory is still in the caches. */
void seats_give_back(struct seats *p, struct seat *seat)
{
	p->taken_by[seat->peer]--;
	p->n_taken--;
	list_remove(seat);
	list_add_tail(p->free.next, seat);
}

void seats_use(struct seats *p, struct seat *seat, enum seat_use use, struct seat_limits limits,
	       uint64_t now_ns)
{
	list_remove(seat);
	list_add_tail(&p->used[use], seat);
	seat->use = use;
	seat->limits = limits;
	seat->begun_ns = seat->since_ns = now_ns;
	p->earliest_ns = MIN(p->earliest_ns, deadline_of(seat));
}

void seats_touch(struct seats *p, struct seat *seat, uint64_t now_ns)
{
	list_remove(seat);
	list_add_tail(&p->used[seat->use], seat);
	seat->since_ns = now_ns;
}

/* The one that has waited longest; with @peer, of that peer. */
static struct seat *find_victim(const struct seats *p, const uint16_t *peer)
{
	for (size_t use = 0; use < SEAT_KEPT; use++) {
		const struct seat *list = &p->used[use];

		for (struct seat *seat = list->next; seat != list; seat = seat->next) {
			if (!peer || seat->peer == *peer)
				return seat;
		}
	}
	return NULL;
}

struct seat *seats_victim(const struct seats *p)
{
	return find_victim(p, NULL);
}

bool seats_has_room(const struct seats *p, uint16_t peer, struct seat **ret_victim)
{
	bool greedy = p->taken_by[peer] >= p->count / 2;

	if (!greedy && p->n_taken < p->count)
		return true;
	*ret_victim = find_victim(p, greedy ? &peer : NULL);
	return false;
}

struct seat *seats_expired(struct seats *p, uint64_t now_ns)
{
	uint64_t earliest = UINT64_MAX;

	if (now_ns < p->earliest_ns)
		return NULL;
	for (size_t use = 0; use < SEAT_USES; use++) {
		const struct seat *list = &p->used[use];

		for (struct seat *seat = list->next; seat != list; seat = seat->next) {
			uint64_t deadline = deadline_of(seat);

			if (deadline <= now_ns)
				return seat;
			earliest = MIN(earliest, deadline);
		}
	}
	p->earliest_ns = earliest;
	return NULL;
}
