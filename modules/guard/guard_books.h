/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What user space keeps for itself in maps, so that it is there after a restart as what it is
 * about: who set which limit, what is to be taken back unless somebody confirms it; and numbers of
 * its own for the metrics. No packet touches any of it.
 */
#pragma once

#include <linux/types.h>

#include "guard.h"

enum {
	GUARD_LIMIT_BOOKS_MAX = 2048,
	GUARD_PENDING_MAX = 64,
};

/* ---- limits ---- */

enum guard_target_kind {
	GUARD_TARGET_SOURCES, /* each source that no network's limit is about */
	GUARD_TARGET_NETWORK, /* each source in it */
	GUARD_TARGET_PORT,    /* all packets to it together */
};

/* What is not of the kind is zero. Key of guard_limit_books. */
struct guard_target {
	struct guard_prefix prefix;
	__u16 port; /* host order */
	__u8 protocol;
	__u8 kind; /* enum guard_target_kind */
};

_Static_assert(sizeof(struct guard_target) == 24, "key of guard_limit_books");

struct guard_amount {
	__u64 bits; /* a second; 0: as many as come */
	__u64 packets;
};

/* What holds is what was commanded, else what was declared. */
struct guard_limit_book {
	struct guard_amount declared;
	struct guard_amount runtime;
	__u16 index; /* in guard_rates, or guard_port_limits */
	__u16 padding[3];
};

_Static_assert(sizeof(struct guard_limit_book) == 40, "value of guard_limit_books");

/* ---- changes that wait to be confirmed ---- */

enum guard_change_kind {
	GUARD_CHANGE_NONE,
	GUARD_CHANGE_LIST,
	GUARD_CHANGE_BAN,
	GUARD_CHANGE_LIMIT,
	GUARD_CHANGE_MODE,
};

/* Something that can be set, and what it is or was set to. */
struct guard_change {
	__u8 kind; /* enum guard_change_kind */
	__u8 list; /* GUARD_CHANGE_LIST: GUARD_ALLOW_LIST or GUARD_BLOCK_LIST */
	__u8 value; /* …LIST: a set of enum guard_by; …MODE: enum guard_mode; …BAN: 0, no ban */
	__u8 padding[5];
	struct guard_target target; /* …LIST, …BAN: its prefix */
	struct guard_amount amount; /* …LIMIT: 0 and 0, none */
	struct guard_ban ban;
};

_Static_assert(sizeof(struct guard_change) == 80, "within guard_pending");

/* Value of guard_pending; id 0: none. */
struct guard_pending {
	__u64 deadline_ns; /* CLOCK_MONOTONIC: then @before is made so again */
	__u32 id;
	__u32 padding;
	struct guard_change before;
};

_Static_assert(sizeof(struct guard_pending) == 96, "value of guard_pending");

/* ---- what is remembered from one daemon to the next ---- */

struct guard_memory {
	__u32 started;       /* 1: there was one */
	__u32 declared_mode; /* enum guard_mode that its configuration said */
	__u32 next_id;       /* of guard_pending */
	__u32 padding;
};

/* ---- for the metrics ---- */

/* Networks in a list, by who put them there: index list * GUARD_ENTRY_KINDS + enum
 * guard_entry_kind. */
enum guard_entry_kind {
	GUARD_ENTRY_DECLARED,
	GUARD_ENTRY_RUNTIME,
	GUARD_ENTRY_PROTECTION,
	GUARD_ENTRY_KINDS,
};

struct guard_gauges {
	__u64 enforcing; /* 1: mode enforce */
	__u64 bans;
	__u64 limits;
	__u64 pending;
	__u64 protected_addresses;
	__u64 list_mistakes;
	__u64 defended; /* destinations */
};

_Static_assert(sizeof(struct guard_gauges) == 56, "guard.yaml: values of guard_gauges");
