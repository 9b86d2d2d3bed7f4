// SPDX-License-Identifier: MIT
#include "http/places.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#include "base/macro.h"

static void list_init(struct place *list)
{
	list->prev = list->next = list;
}

static void list_remove(struct place *p)
{
	p->prev->next = p->next;
	p->next->prev = p->prev;
}

static void list_add_tail(struct place *list, struct place *p)
{
	p->prev = list->prev;
	p->next = list;
	list->prev->next = p;
	list->prev = p;
}

struct place *places_at(const struct places *p, size_t index)
{
	return (struct place *)(p->memory + index * p->size);
}

int places_init(struct places *p, size_t count, size_t size)
{
	*p = (struct places){.size = size, .count = count, .earliest_ns = UINT64_MAX};
	p->memory = calloc(count, size);
	if (!p->memory)
		return -ENOMEM;
	list_init(&p->free);
	for (size_t i = 0; i < PLACE_USES; i++)
		list_init(&p->used[i]);
	/* Which addresses share a counter is nobody's to choose. */
	if (getrandom(&p->seed, sizeof(p->seed), GRND_NONBLOCK) != sizeof(p->seed))
		p->seed = (uintptr_t)p;
	return 0;
}

void places_free(struct places *p)
{
	free(p->memory);
	p->memory = NULL;
}

uint16_t places_peer(const struct places *p, const struct sockaddr *address)
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
	return (uint16_t)(XXH3_64bits_withSeed(bytes, len, p->seed) % PLACES_PEERS);
}

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t deadline_of(const struct place *place)
{
	return MIN(add_saturated(place->since_ns, place->limits.silence_ns),
		   add_saturated(place->begun_ns, place->limits.whole_ns));
}

struct place *places_take(struct places *p, uint16_t peer, uint64_t now_ns)
{
	const struct place_limits none = {UINT64_MAX, UINT64_MAX};
	struct place *place = p->free.next;

	if (place == &p->free) {
		if (p->n_touched == p->count)
			return NULL;
		place = places_at(p, p->n_touched++);
		list_init(place);
	}
	place->peer = peer;
	p->taken_by[peer]++;
	p->n_taken++;
	places_use(p, place, PLACE_READING, none, now_ns);
	return place;
}

/* The next one gets it: its memory is still in the caches. */
void places_give_back(struct places *p, struct place *place)
{
	p->taken_by[place->peer]--;
	p->n_taken--;
	list_remove(place);
	list_add_tail(p->free.next, place);
}

void places_use(struct places *p, struct place *place, enum place_use use,
		struct place_limits limits, uint64_t now_ns)
{
	list_remove(place);
	list_add_tail(&p->used[use], place);
	place->use = use;
	place->limits = limits;
	place->begun_ns = place->since_ns = now_ns;
	p->earliest_ns = MIN(p->earliest_ns, deadline_of(place));
}

void places_touch(struct places *p, struct place *place, uint64_t now_ns)
{
	list_remove(place);
	list_add_tail(&p->used[place->use], place);
	place->since_ns = now_ns;
}

/* The one that has waited longest; with @peer, of that peer. */
static struct place *find_victim(const struct places *p, const uint16_t *peer)
{
	for (size_t use = 0; use < PLACE_KEPT; use++) {
		const struct place *list = &p->used[use];

		for (struct place *place = list->next; place != list; place = place->next) {
			if (!peer || place->peer == *peer)
				return place;
		}
	}
	return NULL;
}

struct place *places_victim(const struct places *p)
{
	return find_victim(p, NULL);
}

bool places_has_room(const struct places *p, uint16_t peer, struct place **ret_victim)
{
	bool greedy = p->taken_by[peer] >= p->count / 2;

	if (!greedy && p->n_taken < p->count)
		return true;
	*ret_victim = find_victim(p, greedy ? &peer : NULL);
	return false;
}

struct place *places_expired(struct places *p, uint64_t now_ns)
{
	uint64_t earliest = UINT64_MAX;

	if (now_ns < p->earliest_ns)
		return NULL;
	for (size_t use = 0; use < PLACE_USES; use++) {
		const struct place *list = &p->used[use];

		for (struct place *place = list->next; place != list; place = place->next) {
			uint64_t deadline = deadline_of(place);

			if (deadline <= now_ns)
				return place;
			earliest = MIN(earliest, deadline);
		}
	}
	p->earliest_ns = earliest;
	return NULL;
}
