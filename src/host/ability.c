// SPDX-License-Identifier: MIT
#include "host/ability.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>

extern const struct ability_table *const __start_host_abilities[] __attribute__((weak));
extern const struct ability_table *const __stop_host_abilities[] __attribute__((weak));

/* ---- capabilities ---- */

static void free_caps(cap_t *caps)
{
	if (*caps)
		cap_free(*caps);
}

static bool is_effective(cap_t caps, const char *name)
{
	cap_flag_value_t flag = CAP_CLEAR;
	cap_value_t value;

	return cap_from_name(name, &value) == 0 &&
	       cap_get_flag(caps, value, CAP_EFFECTIVE, &flag) == 0 && flag == CAP_SET;
}

/* What CAP_SYS_ADMIN was split into in Linux 5.8, and still stands for. */
static bool is_of_admin(const char *name)
{
	return STREQ(name, "cap_bpf") || STREQ(name, "cap_perfmon");
}

bool capabilities_held(const char *names, char lacks[64])
{
	_cleanup_(free_caps) cap_t have = cap_get_proc();
	_cleanup_strv_ struct strv list = {0};

	strv_add_split(&list, names, ' ');
	for (size_t i = 0; i < list.count; i++) {
		char name[64];

		snprintf(name, sizeof(name), "cap_%s", list.items[i]);
		if (have && (is_effective(have, name) ||
			     (is_of_admin(name) && is_effective(have, "cap_sys_admin"))))
			continue;
		snprintf(lacks, sizeof(name), "%s", name);
		return false;
	}
	return true;
}

/* ---- trying ---- */

static bool is_permission(int code)
{
	return code == -EPERM || code == -EACCES;
}

/* What a refusal means: of one who may not, nothing. */
static void explain(struct finding *f, const struct ability *a, int code)
{
	char lacks[64];

	if (is_permission(code) && a->capabilities && !capabilities_held(a->capabilities, lacks)) {
		finding_set(f, FINDING_UNTRIED, "%s; to try it takes %s", a->purpose, lacks);
		finding_advise(f, "run it as root");
		return;
	}
	if (f->state == FINDING_OK) /* the attempt has not said it better */
		finding_set(f, FINDING_MISSING, "%s: %s", a->purpose,
			    is_permission(code)
				    ? "the kernel, or what confines this process, refuses it"
				    : error_words(code));
	if (a->loss)
		finding_set(f, FINDING_DEGRADED, "%s", a->loss);
	if (a->remedy && !f->advice)
		finding_advise(f, "%s", a->remedy);
}

static void try_one(const struct ability_env *env, const struct ability *a,
		    const struct strv *users, const struct ability_table *t, struct findings *to)
{
	struct finding *f = findings_add(to, t->group, a->id, a->name);
	int err;

	f->rank = t->order * ABILITY_ROWS_MAX + (unsigned)(a - t->rows);
	if (a->family)
		finding_set_family(f, a->family);
	if (strv_add_all(&f->users, users))
		to->failed = true;
	finding_set(f, FINDING_OK, "%s", a->purpose);
	if (a->in_scratch && !env->scratch) {
		finding_set(f, FINDING_UNTRIED, "%s; %s", a->purpose, env->error->text);
		finding_advise(f, "run it as root");
		return;
	}
	err = a->attempt(env, a, f);
	if (err)
		explain(f, a, err);
}

static void try_table(const struct ability_env *env, bool in_scratch, ability_wanted_fn wanted,
		      const void *ctx, const struct ability_table *t, struct findings *f)
{
	for (size_t i = 0; i < t->n_rows; i++) {
		_cleanup_strv_ struct strv users = {0};
		const struct ability *a = &t->rows[i];

		if (a->in_scratch == in_scratch && wanted(ctx, a, &users))
			try_one(env, a, &users, t, f);
	}
}

/* The table behind @last in their order; the first with NULL. */
static const struct ability_table *table_after(const struct ability_table *last)
{
	uintptr_t size = (uintptr_t)__stop_host_abilities - (uintptr_t)__start_host_abilities;
	const struct ability_table *next = NULL;

	for (size_t i = 0; i < size / sizeof(struct ability_table *); i++) {
		const struct ability_table *t = __start_host_abilities[i];

		if ((!last || t->order > last->order) && (!next || t->order < next->order))
			next = t;
	}
	return next;
}

void abilities_try(const struct ability_env *env, bool in_scratch, ability_wanted_fn wanted,
		   const void *ctx, struct findings *f)
{
	for (const struct ability_table *t = table_after(NULL); t; t = table_after(t))
		try_table(env, in_scratch, wanted, ctx, t, f);
}
