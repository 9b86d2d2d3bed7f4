// SPDX-License-Identifier: MIT
#include "engine/profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is for all modules. */
static const struct general {
	const char *name;
	enum sysctl_rule rule;
	const char *wanted, *why, *source;
} general[] = {
	{"net.core.bpf_jit_enable", SYSCTL_AT_LEAST, "1",
	 "Programs run as machine code; interpreted, each packet costs several times as much",
	 "Documentation/admin-guide/sysctl/net.rst"},
	{"kernel.bpf_stats_enabled", SYSCTL_EXACTLY, "0",
	 "Measuring every BPF program of the host costs two looks at the clock per run; switch it "
	 "on "
	 "only while somebody looks",
	 "Documentation/admin-guide/sysctl/kernel.rst"},
};

static struct profile_row *find(const struct profile *p, const char *name)
{
	for (size_t i = 0; i < p->count; i++) {
		if (STREQ(p->rows[i].name, name))
			return &p->rows[i];
	}
	return NULL;
}

/* Adds a row, or makes the one that is there as strict. */
static int add(struct profile *p, const struct general *g, const char *module)
{
	struct profile_row *row = find(p, g->name);
	_cleanup_buf_ struct buf ignored = {0};

	if (!row) {
		void *rows = realloc(p->rows, (p->count + 1) * sizeof(*p->rows));

		if (!rows)
			return -ENOMEM;
		p->rows = rows;
		row = &p->rows[p->count++];
		*row = (struct profile_row){.name = g->name,
					    .rule = g->rule,
					    .wanted = g->wanted,
					    .why = g->why,
					    .source = g->source};
	} else if (sysctl_correct(row->wanted, g->rule, g->wanted, &ignored)) {
		row->wanted = g->wanted;
	}
	return module ? strv_add(&row->modules, module, strlen(module)) : 0;
}

static int add_module(struct profile *p, const struct config *c)
{
	int err = 0;

	for (size_t i = 0; !err && i < c->sysctls.count; i++) {
		const struct sysctl_config *s = &c->sysctls.items[i];
		const struct general row = {s->name.text, s->rule, s->value.text, s->why.text,
					    s->source.text};

		err = add(p, &row, c->name);
	}
	return err;
}

static void read_row(struct profile_row *row)
{
	row->error = sysctl_read(row->name, &row->current);
	if (!row->error)
		row->differs = sysctl_correct(buf_str(&row->current), row->rule, row->wanted,
					      &row->correct);
}

static int by_name(const void *a, const void *b)
{
	const struct profile_row *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int profile_build(const struct plan_options *options, struct profile *ret, struct error *e)
{
	int err = plans_build(options, &ret->plans, e);

	if (err)
		return err;
	for (size_t i = 0; !err && i < ARRAY_SIZE(general); i++)
		err = add(ret, &general[i], NULL);
	for (size_t i = 0; !err && i < ret->plans.count; i++) {
		const struct plan *p = ret->plans.items[i];

		for (size_t k = 0; !err && k < p->n_modules; k++)
			err = add_module(ret, p->modules[k].config);
	}
	if (err)
		return error_set(e, err, "no memory for the profile");
	qsort(ret->rows, ret->count, sizeof(*ret->rows), by_name);
	for (size_t i = 0; i < ret->count; i++)
		read_row(&ret->rows[i]);
	return 0;
}

void profile_free(struct profile *p)
{
	for (size_t i = 0; i < p->count; i++) {
		strv_free(&p->rows[i].modules);
		buf_free(&p->rows[i].current);
		buf_free(&p->rows[i].correct);
	}
	free(p->rows);
	plans_free(&p->plans);
}
