/* SPDX-License-Identifier: MIT */
/*
 * The seats that connections take: a fixed number, made once. Each is in one list by what it is
 * used for, the one that has waited longest in front; so whoever is to go when a newcomer finds no
 * seat, and whoever has waited too long, is found at once.
 *
 * Fairness: a newcomer always gets a seat while anyone can be sent away, and whoever has more than
 * half of all seats has to give up one of these.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Who goes first when a seat is needed. */
enum seat_use {
	SEAT_IDLE, /* has its answer, and may or may not ask again */
	SEAT_READING,
	SEAT_WRITING,
	SEAT_KEPT, /* an answer is being made: cannot go */
	SEAT_USES,
};

struct seat_limits {
	uint64_t silence_ns; /* without progress; UINT64_MAX = any */
	uint64_t whole_ns;   /* altogether */
};

struct seat {
	struct seat *prev, *next;
	enum seat_use use;
	uint16_t peer;
	struct seat_limits limits;
	uint64_t since_ns; /* the last progress */
	uint64_t begun_ns; /* of this use */
};

enum { SEATS_PEERS = 4096 };

struct seats {
	char *memory;
	size_t size; /* of one */
	size_t count;
	size_t n_taken;
	size_t n_touched; /* the first of them: the memory of the others has never been needed */
	struct seat free;
	struct seat used[SEAT_USES];
	uint64_t earliest_ns; /* no deadline is before this */
	uint64_t seed;
	uint16_t taken_by[SEATS_PEERS]; /* by the hash of an address */
};

/* @count seats in structures of @size bytes that begin with their struct seat; the rest is zero
 * at first. 0 or -ENOMEM. */
int seats_init(struct seats *p, size_t count, size_t size);
void seats_free(struct seats *p);

struct seat *seats_at(const struct seats *p, size_t index);

/* Which peer an address belongs to: an IPv4 address, an IPv6 network of 64 bits. */
uint16_t seats_peer(const struct seats *p, const struct sockaddr *address);

/* A seat for @peer, SEAT_READING, without limits; NULL when none is free. */
struct seat *seats_take(struct seats *p, uint16_t peer, uint64_t now_ns);
void seats_give_back(struct seats *p, struct seat *seat);

/* What it is used for from now on. */
void seats_use(struct seats *p, struct seat *seat, enum seat_use use, struct seat_limits limits,
	       uint64_t now_ns);

/* It has made progress. */
void seats_touch(struct seats *p, struct seat *seat, uint64_t now_ns);

/* Whether @peer may take a seat now; else *ret_victim has to go first, NULL when nobody can. */
bool seats_has_room(const struct seats *p, uint16_t peer, struct seat **ret_victim);

/* Whoever is to go first; NULL when nobody can. */
struct seat *seats_victim(const struct seats *p);

/* One that is over its limits, or NULL; then p->earliest_ns says when to ask again. */
struct seat *seats_expired(struct seats *p, uint64_t now_ns);
