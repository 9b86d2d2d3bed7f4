/* SPDX-License-Identifier: MIT */
/*
 * The places that connections take: a fixed number, made once. Each is in one list by what it is
 * used for, the one that has waited longest in front; so whoever is to go when a newcomer finds no
 * place, and whoever has waited too long, is found at once.
 *
 * Fairness: a newcomer always gets a place while anyone can be sent away, and whoever has more than
 * half of all places has to give up one of these.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Who goes first when a place is needed. */
enum place_use {
	PLACE_IDLE, /* has its answer, and may or may not ask again */
	PLACE_READING,
	PLACE_WRITING,
	PLACE_KEPT, /* an answer is being made: cannot go */
	PLACE_USES,
};

struct place_limits {
	uint64_t silence_ns; /* without progress; UINT64_MAX = any */
	uint64_t whole_ns;   /* altogether */
};

struct place {
	struct place *prev, *next;
	enum place_use use;
	uint16_t peer;
	struct place_limits limits;
	uint64_t since_ns; /* the last progress */
	uint64_t begun_ns; /* of this use */
};

enum { PLACES_PEERS = 4096 };

struct places {
	char *memory;
	size_t size; /* of one */
	size_t count;
	size_t n_taken;
	size_t n_touched; /* the first of them: the memory of the others has never been needed */
	struct place free;
	struct place used[PLACE_USES];
	uint64_t earliest_ns; /* no deadline is before this */
	uint64_t seed;
	uint16_t taken_by[PLACES_PEERS]; /* by the hash of an address */
};

/* @count places in structures of @size bytes that begin with their struct place; the rest is zero
 * at first. 0 or -ENOMEM. */
int places_init(struct places *p, size_t count, size_t size);
void places_free(struct places *p);

struct place *places_at(const struct places *p, size_t index);

/* Which peer an address belongs to: an IPv4 address, an IPv6 network of 64 bits. */
uint16_t places_peer(const struct places *p, const struct sockaddr *address);

/* A place for @peer, PLACE_READING, without limits; NULL when none is free. */
struct place *places_take(struct places *p, uint16_t peer, uint64_t now_ns);
void places_give_back(struct places *p, struct place *place);

/* What it is used for from now on. */
void places_use(struct places *p, struct place *place, enum place_use use,
		struct place_limits limits, uint64_t now_ns);

/* It has made progress. */
void places_touch(struct places *p, struct place *place, uint64_t now_ns);

/* Whether @peer may take a place now; else *ret_victim has to go first, NULL when nobody can. */
bool places_has_room(const struct places *p, uint16_t peer, struct place **ret_victim);

/* Whoever is to go first; NULL when nobody can. */
struct place *places_victim(const struct places *p);

/* One that is over its limits, or NULL; then p->earliest_ns says when to ask again. */
struct place *places_expired(struct places *p, uint64_t now_ns);
