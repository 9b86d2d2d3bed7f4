/* SPDX-License-Identifier: MIT */
/*
 * Which capabilities units want, what for and how long: by the types of their programs, by where
 * these go, and by what their configs ask for. The rows are one table, which docs/privileges.md
 * tells.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/unit.h"

struct agent;

enum privilege_when {
	PRIVILEGE_LOAD, /* at the start, and for a reload that changes something */
	PRIVILEGE_KEPT, /* for as long as the unit runs */
};

struct privilege {
	int capability; /* CAP_… */
	enum privilege_when when;
	const char *why;
	bool is_optional; /* without it names or measures are missing, and all else is there */
};

/* Index from 0; NULL past the end. */
const struct privilege *privilege_at(size_t index);

/* Whether @u, which is loaded, wants row @index; whether a unit of @a does. */
bool unit_wants_privilege(const struct unit *u, size_t index);
bool privilege_is_wanted(const struct agent *a, size_t index);

/* All capabilities that any unit can want, as bits. */
uint64_t privileges_possible(void);

/* Those that the units of @a want, as bits: all, or what is kept alone. */
uint64_t privileges_wanted(const struct agent *a, bool kept_only);
