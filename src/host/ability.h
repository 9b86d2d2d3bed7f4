/* SPDX-License-Identifier: MIT */
/*
 * Abilities: what a host can do or not, one row each. Each is found out by doing it, in a way that
 * disturbs nobody and leaves nothing; only what cannot be done for a moment is asked for.
 *
 *	static const struct ability rows[] = {{.id = …, .attempt = …}, …};
 *	ABILITIES(kernel, FINDING_KERNEL, 100, rows);
 *
 * The linker gathers the tables, so that no list of them is kept.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "host/finding.h"
#include "host/scratch.h"

struct kernel_btf;

struct ability_env {
	struct kernel_btf *btf;
	struct scratch *scratch;   /* a network namespace of our own; NULL where there is none */
	const struct error *error; /* why there is none */
};

struct ability {
	const char *id;
	const char *name;
	const char *purpose; /* what it is for, when there is nothing more to say */
	const char *family;  /* finding->family; NULL */
	/*
	 * Who wants it: programs whose SEC() begins with one of these words, apart by blanks; maps
	 * of this type. Neither: it is of the host, and told to everybody.
	 */
	const char *sections;
	uint32_t map_type;
	bool aside;      /* no module needs it: told only to whoever asks for everything */
	bool in_scratch; /* it is tried in env->scratch */
	/* The capabilities without which it may not be tried: "bpf perfmon". NULL: anybody may. */
	const char *capabilities;
	/* What to do where it is missing; NULL: nothing can be done, or the attempt says it. */
	const char *remedy;
	/* What is lost without it where there is another way: it is degraded then, not missing. */
	const char *loss;
	/*
	 * 0, when it works; or a negative errno, and then @f may have been set already. One that
	 * takes more to say sets @f and gives back 0.
	 */
	int (*attempt)(const struct ability_env *env, const struct ability *a, struct finding *f);
};

struct ability_table {
	const struct ability *rows;
	size_t n_rows;
	enum finding_group group;
	unsigned order; /* lower first */
};

#define ABILITIES(name_, group_, order_, rows_)                                                    \
	static const struct ability_table name_##_abilities = {.rows = (rows_),                    \
							       .n_rows = ARRAY_SIZE(rows_),        \
							       .group = (group_),                  \
							       .order = (order_)};                 \
	static const struct ability_table *const name_##_abilities_row                             \
		__attribute__((used, section("host_abilities"))) = &name_##_abilities

enum { ABILITY_ROWS_MAX = 1000 }; /* of a table */

/* Whether anybody asks for what @a is; who goes into @users. */
typedef bool (*ability_wanted_fn)(const void *ctx, const struct ability *a, struct strv *users);

/*
 * Tries all abilities that are @wanted and of which in_scratch is @in_scratch, and adds what came
 * of it to @f.
 */
void abilities_try(const struct ability_env *env, bool in_scratch, ability_wanted_fn wanted,
		   const void *ctx, struct findings *f);

/* Whether this process has all of @names, "bpf perfmon"; the first that it lacks into @lacks. As
 * the kernel has it, CAP_SYS_ADMIN does for CAP_BPF and CAP_PERFMON. */
bool capabilities_held(const char *names, char lacks[64]);
