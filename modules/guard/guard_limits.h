/* SPDX-License-Identifier: MIT */
/*
 * The limits in the kernel, and the books about who set them (guard_books.h). What holds for a
 * target is what was commanded, else what is configured.
 */
#pragma once

#include "base/error.h"
#include "guard_amount.h"
#include "guard_books.h"
#include "guard_options.h"
#include "guard_prefix.h"
#include "kernel/object.h"

struct guard_limits {
	struct guard_settings *settings;
	struct map_info books;
	struct map_info networks;    /* guard_limits */
	struct map_info rates;       /* guard_rates */
	struct map_info port_rates;  /* guard_port_rates */
	struct map_info port_limits; /* guard_port_limits */
	uint8_t used_rates[GUARD_RATES_MAX];
	uint8_t used_port_limits[GUARD_PORT_LIMITS_MAX];
	size_t counts[GUARD_TARGET_PORT + 1]; /* by enum guard_target_kind */
	unsigned cpus;
};

int guard_limits_open(struct guard_limits *l, const struct object *o,
		      struct guard_settings *settings, struct error *e);

/* Takes up what is in the books, and makes the limits of @o those that are configured. */
int guard_limits_apply(struct guard_limits *l, const struct guard_options *o, struct error *e);

/* What the books say of @t; all zeros, and -ENOENT, where there is no limit. */
int guard_limits_get(const struct guard_limits *l, const struct guard_target *t,
		     struct guard_limit_book *ret);

/* The limit that a source of @address is under: its target and what the books say of that. -ENOENT
 * when there is none. */
int guard_limits_find(const struct guard_limits *l, const struct guard_prefix *address,
		      struct guard_target *ret_target, struct guard_limit_book *ret);

/* Commands @amount for @t; 0 and 0: what is configured holds again. */
int guard_limits_command(struct guard_limits *l, const struct guard_target *t,
			 const struct guard_amount *amount, struct error *e);

/* How many there are, of all kinds. */
size_t guard_limits_count(const struct guard_limits *l);

/* What holds by @book. */
const struct guard_amount *guard_limit_amount(const struct guard_limit_book *book);
