// SPDX-License-Identifier: MIT
#include "engine/demand.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/compat.h"
#include "kernel/object.h"

DEFINE_CLEANUP(struct object *, object_close)

/* ---- whose it is ---- */

static bool has_row(const struct config *c, const char *program)
{
	for (size_t i = 0; i < c->attach.count; i++) {
		if (STREQ(c->attach.items[i].program.text, program))
			return true;
	}
	return false;
}

bool demand_is_of(const struct plan *p, size_t module, const char *program)
{
	for (size_t i = 1; i < p->n_modules; i++) {
		if (has_row(p->modules[i].config, program))
			return i == module;
	}
	return p->n_modules == 1 || module > 0;
}

static int add_users(const struct plan *p, const char *program, struct strv *users)
{
	int err = 0;

	for (size_t i = 0; !err && i < p->n_modules; i++) {
		const char *name = p->modules[i].config->name;

		if ((p->n_modules == 1 || i > 0) && !strv_has(users, name) &&
		    (!program || demand_is_of(p, i, program)))
			err = strv_add(users, name, strlen(name));
	}
	return err;
}

/* ---- programs and maps ---- */

static bool is_same(const struct demand_row *row, const char *section, uint32_t map_type)
{
	return row->map_type == map_type &&
	       (section ? row->section && STREQ(row->section, section) : !row->section);
}

static struct demand_row *find_or_add_row(struct demand *d, const char *section, uint32_t map_type)
{
	struct demand_row *rows;

	for (size_t i = 0; i < d->n_rows; i++) {
		if (is_same(&d->rows[i], section, map_type))
			return &d->rows[i];
	}
	rows = reallocarray(d->rows, d->n_rows + 1, sizeof(*rows));
	if (!rows)
		return NULL;
	d->rows = rows;
	rows[d->n_rows] = (struct demand_row){.map_type = map_type};
	if (section && !(rows[d->n_rows].section = strdup(section)))
		return NULL;
	return &rows[d->n_rows++];
}

static int add_row(struct demand *d, const struct plan *p, const char *section, uint32_t map_type,
		   const char *program)
{
	struct demand_row *row = find_or_add_row(d, section, map_type);

	return row ? add_users(p, program, &row->users) : -ENOMEM;
}

/* ---- helpers ---- */

/* Of a kind that each kernel has, where there is one: of the others it could not be said. */
static struct helper_use *prefer(struct helper_use *use, const struct program_info *program)
{
	if (use->type == COMPAT_BPF_PROG_TYPE_NETFILTER) {
		use->type = program->type;
		use->attach_type = program->attach_type;
	}
	return use;
}

static struct helper_use *find_or_add_helper(struct demand *d, uint32_t helper,
					     const struct program_info *program)
{
	struct helper_use *helpers;

	for (size_t i = 0; i < d->n_helpers; i++) {
		if (d->helpers[i].helper == helper)
			return prefer(&d->helpers[i], program);
	}
	helpers = reallocarray(d->helpers, d->n_helpers + 1, sizeof(*helpers));
	if (!helpers)
		return NULL;
	d->helpers = helpers;
	helpers[d->n_helpers] = (struct helper_use){.helper = helper,
						    .type = program->type,
						    .attach_type = program->attach_type};
	return &helpers[d->n_helpers++];
}

static int add_helpers(struct demand *d, const struct plan *p, const struct object *o, size_t index,
		       const struct program_info *program)
{
	struct object_helpers calls;
	int err = 0;

	object_program_helpers(o, index, &calls);
	for (uint32_t i = 0; !err && i < OBJECT_HELPERS_MAX; i++) {
		struct helper_use *use;

		if (!(calls.bits[i / 64] & UINT64_C(1) << i % 64))
			continue;
		use = find_or_add_helper(d, i, program);
		err = use ? add_users(p, program->name, &use->users) : -ENOMEM;
	}
	return err;
}

static int add_program(struct demand *d, const struct plan *p, const struct object *o, size_t index)
{
	struct program_info program;
	int err;

	object_program(o, index, &program);
	err = add_row(d, p, program.section, 0, program.name);
	if (!err && program.type == BPF_PROG_TYPE_XDP)
		err = strv_add(&d->xdp_programs, program.name, strlen(program.name));
	return err ? err : add_helpers(d, p, o, index, &program);
}

int demand_add(struct demand *d, const struct plan *p)
{
	_cleanup_(object_close_p) struct object *o = NULL;
	struct map_info map;
	int err = 0;

	if (object_open(p->name, p->object, p->object_len, NULL, &o, NULL))
		return 0;
	for (size_t i = 0; !err && i < object_program_count(o); i++)
		err = add_program(d, p, o, i);
	for (size_t i = 0; !err && object_map(o, i, &map); i++)
		err = add_row(d, p, NULL, map.type, NULL);
	return err;
}

void demand_free(struct demand *d)
{
	for (size_t i = 0; i < d->n_rows; i++) {
		free(d->rows[i].section);
		strv_free(&d->rows[i].users);
	}
	for (size_t i = 0; i < d->n_helpers; i++)
		strv_free(&d->helpers[i].users);
	free(d->rows);
	free(d->helpers);
	strv_free(&d->xdp_programs);
	*d = (struct demand){0};
}

/* ---- asking ---- */

static bool begins_with_one_of(const char *text, const struct strv *words)
{
	for (size_t i = 0; i < words->count; i++) {
		if (strncmp(text, words->items[i], strlen(words->items[i])) == 0)
			return true;
	}
	return false;
}

/* Without memory some are left out. */
static void merge(struct strv *users, const struct strv *more)
{
	for (size_t i = 0; i < more->count; i++) {
		if (!strv_has(users, more->items[i]))
			strv_add(users, more->items[i], strlen(more->items[i]));
	}
}

bool demand_find_sections(const struct demand *d, const char *sections, struct strv *users)
{
	_cleanup_strv_ struct strv words = {0};

	strv_add_split(&words, sections, ' ');
	for (size_t i = 0; i < d->n_rows; i++) {
		if (d->rows[i].section && begins_with_one_of(d->rows[i].section, &words))
			merge(users, &d->rows[i].users);
	}
	return users->count > 0;
}

static bool find_map_type(const struct demand *d, uint32_t type, struct strv *users)
{
	for (size_t i = 0; i < d->n_rows; i++) {
		if (!d->rows[i].section && d->rows[i].map_type == type)
			merge(users, &d->rows[i].users);
	}
	return users->count > 0;
}

bool demand_wants(const void *ctx, const struct ability *a, struct strv *users)
{
	const struct demand *d = ctx;

	if (a->sections)
		return demand_find_sections(d, a->sections, users) || d->everything;
	if (a->map_type)
		return find_map_type(d, a->map_type, users) || d->everything;
	return !a->aside || d->everything;
}
