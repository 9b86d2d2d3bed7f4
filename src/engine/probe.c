// SPDX-License-Identifier: MIT
#include "engine/probe.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "decode/hostnames.h"
#include "engine/placement.h"
#include "engine/slices.h"
#include "kernel/offers.h"

static const struct way_config *way_of(const struct probe *p)
{
	return &p->config->ways.items[p->way];
}

static bool has_program(const struct way_config *way, const char *name)
{
	for (size_t i = 0; i < way->programs.count; i++) {
		if (STREQ(way->programs.items[i].text, name))
			return true;
	}
	return false;
}

bool probe_uses(const struct probe *p, const char *program)
{
	return p->state == PROBE_USED && has_program(way_of(p), program);
}

const char *probe_mechanism(const struct probe *p)
{
	return p->state == PROBE_ABSENT ? "none" : way_of(p)->mechanism.text;
}

/* ---- probes against the object ---- */

static const struct attach_config *find_row(const struct config *c, const char *program)
{
	for (size_t i = 0; i < c->attach.count; i++) {
		if (STREQ(c->attach.items[i].program.text, program))
			return &c->attach.items[i];
	}
	return NULL;
}

/* Programs that come and go with interfaces, or run now and then, cannot be attached in slices. */
static int check_slices(const struct config *c, const struct text *name, enum attach_hook hook,
			struct report *report)
{
	if (!hook_get(hook)->by_interface && !hook_get(hook)->run)
		return 0;
	return report_error(report, &c->source, name->place,
			    "program '%s' of hook '%s' cannot be of a probe that is sampled",
			    name->text, attach_hook_name(hook));
}

static int check_program(const struct config *c, const struct object *o,
			 const struct probe_config *probe, const struct text *name,
			 struct report *report)
{
	const struct attach_config *row = find_row(c, name->text);
	struct program_info program;
	struct attach_config meant;

	if (object_find_program(o, name->text, &program))
		return report_error(report, &c->source, name->place,
				    "the object has no program '%s'", name->text);
	if (row && row->hook != HOOK_SECTION)
		meant = *row;
	else if (hook_of_section(&program, section_argument(&program), &meant))
		row = &meant;
	if (row)
		return probe->sampled.text ? check_slices(c, name, meant.hook, report) : 0;
	return report_error(report, &c->source, name->place,
			    "SEC(\"%s\") of program '%s' does not say where it goes; add a row "
			    "under `attach:`",
			    program.section, program.name);
}

int probes_check(const struct config *c, const struct object *o, struct report *report)
{
	int err = 0;

	for (size_t i = 0; i < c->probes.count; i++) {
		const struct probe_config *probe = &c->probes.items[i];

		for (size_t w = 0; w < probe->ways.count; w++) {
			const struct text_list *programs = &probe->ways.items[w].programs;

			for (size_t k = 0; k < programs->count; k++) {
				if (check_program(c, o, probe, &programs->items[k], report))
					err = -EINVAL;
			}
		}
	}
	return err;
}

/* ---- making them ---- */

static struct sampling sampling_of(const struct module *m, const struct probe_config *config)
{
	struct sampling sampling = {.kind = SAMPLING_ALWAYS, .share = 1};
	const struct strv *values;

	if (!config->sampled.text)
		return sampling;
	values = module_option(m, config->sampled.text);
	if (values->count)
		sampling_parse(values->items[0], &sampling); /* checked when it was set */
	return sampling;
}

static int init(struct probe *p, const struct module *m, const struct probe_config *config)
{
	bool on = !config->when.text || module_option_is_on(m, config->when.text);

	*p = (struct probe){.config = config, .module = m, .sampling = sampling_of(m, config)};
	p->state = on && p->sampling.kind != SAMPLING_OFF ? PROBE_USED : PROBE_OFF;
	p->failures = calloc(MAX(config->ways.count, (size_t)1), sizeof(*p->failures));
	return p->failures ? 0 : -ENOMEM;
}

static size_t count_probes(const struct unit *u)
{
	size_t n = 0;

	for (size_t i = 0; i < u->plan->n_modules; i++)
		n += u->plan->modules[i].config->probes.count;
	return n;
}

static struct probe *find_probe(const struct unit *u, const char *program)
{
	for (size_t i = 0; i < u->n_probes; i++) {
		struct probe *p = &u->probes[i];

		for (size_t w = 0; w < p->config->ways.count; w++) {
			if (has_program(&p->config->ways.items[w], program))
				return p;
		}
	}
	return NULL;
}

static int add_probes(struct unit *u, const struct module *m)
{
	for (size_t i = 0; i < m->config->probes.count; i++) {
		if (init(&u->probes[u->n_probes], m, &m->config->probes.items[i]))
			return -ENOMEM;
		u->n_probes++;
	}
	return 0;
}

int probes_build(struct unit *u, struct report *report)
{
	int err = 0;

	u->n_probes = 0;
	u->probes = calloc(MAX(count_probes(u), (size_t)1), sizeof(*u->probes));
	if (!u->probes)
		return -ENOMEM;
	for (size_t i = 0; i < u->plan->n_modules; i++) {
		const struct module *m = &u->plan->modules[i];

		if (probes_check(m->config, u->object, report))
			err = -EINVAL;
		if (add_probes(u, m))
			return -ENOMEM;
	}
	for (size_t i = 0; i < u->n_programs; i++)
		u->programs[i].probe = find_probe(u, u->programs[i].info.name);
	return err;
}

void probes_free(struct unit *u)
{
	for (size_t i = 0; i < u->n_probes; i++) {
		struct probe *p = &u->probes[i];

		for (size_t w = 0; w < p->config->ways.count; w++)
			free(p->failures[w].text);
		free(p->failures);
	}
	free(u->probes);
}

/* ---- which way ---- */

/* Not the kernel's answer about a program: another way would get the same. */
static bool is_scarcity(int code)
{
	return code == -EMFILE || code == -ENFILE || code == -ENOMEM;
}

static bool any_refused(const struct probe *p)
{
	for (size_t w = 0; w < p->config->ways.count; w++) {
		if (p->failures[w].refused)
			return true;
	}
	return false;
}

int probe_fail(struct unit *u, struct probe *p, const char *program, const struct error *why,
	       struct error *e)
{
	struct probe_failure *failure = &p->failures[p->way];

	if (is_scarcity(why->code)) {
		*e = *why;
		return why->code;
	}
	log_debug("%s: probe '%s' is not measured by %s: program '%s': %s", u->plan->name,
		  p->config->name.text, way_of(p)->mechanism.text, program, why->text);
	failure->refused = why->exit == EXIT_FAILED;
	if (asprintf(&failure->text, "program '%s': %s", program, why->text) < 0) {
		failure->text = NULL;
		return error_set(e, -ENOMEM, "no memory");
	}
	if (++p->way < p->config->ways.count)
		return 0;
	p->state = PROBE_ABSENT;
	if (!u->env->strict || !any_refused(p))
		return 0;
	*e = *why;
	return why->code;
}

/* The programs of the way that is used, until one fails. */
static int check_way(struct unit *u, struct probe *p, struct offers *offers, struct error *e)
{
	for (size_t i = 0; i < u->n_programs; i++) {
		const struct program_info *info = &u->programs[i].info;
		struct error why;

		if (!probe_uses(p, info->name) || !program_has_placement(u, i))
			continue;
		if (offers_check(offers, info, &why))
			return probe_fail(u, p, info->name, &why, e);
	}
	return 0;
}

/* Until there is a way of which nothing is known against it. */
static int choose(struct unit *u, struct probe *p, struct offers *offers, struct error *e)
{
	size_t tried;
	int err = 0;

	do {
		tried = p->way;
		if (p->state == PROBE_USED)
			err = check_way(u, p, offers, e);
	} while (!err && p->state == PROBE_USED && p->way != tried);
	return err;
}

int probes_choose(struct unit *u, struct error *e)
{
	struct offers *offers;
	int err = 0;

	if (u->n_probes == 0)
		return 0;
	if (offers_new(u->env->decode.host->btf, &offers))
		return error_set(e, -ENOMEM, "no memory");
	for (size_t i = 0; !err && i < u->n_probes; i++)
		err = choose(u, &u->probes[i], offers, e);
	offers_free(offers);
	return err;
}

static bool is_at_trampoline(const struct program_info *info)
{
	return info->type == BPF_PROG_TYPE_TRACING && info->attach_type != BPF_TRACE_RAW_TP &&
	       info->attach_type != BPF_TRACE_ITER;
}

/* What is attached in slices must be attached more than once: before Linux 5.13 the kernel does not
 * take programs of fentry and fexit a second time (commit f3a95075549e). */
static int attach_placement(struct unit *u, const struct probe *p, struct placement *at,
			    struct error *e)
{
	int err = placement_attach(u, at, e);

	if (err || p->sampling.kind != SAMPLING_SLICES ||
	    !is_at_trampoline(&u->programs[at->program].info))
		return err;
	placement_detach_all(u, at);
	err = placement_attach(u, at, e);
	if (err != -ENOENT)
		return err;
	return error_set_lacks(
		e, err,
		"this kernel cannot attach fentry and fexit programs again, as sampling "
		"does; Linux 5.13 can");
}

static int attach_probe(struct unit *u, struct probe *p, bool *again, struct error *e)
{
	size_t way = p->way;
	int err = 0;

	for (size_t i = 0; !err && p->way == way && i < u->n_placements; i++) {
		struct placement *at = &u->placements[i];
		const char *program = u->programs[at->program].info.name;
		struct error why;

		if (!probe_uses(p, program) || !attach_placement(u, p, at, &why))
			continue;
		*again = true;
		err = probe_fail(u, p, program, &why, e);
	}
	return err;
}

static void detach_probes(struct unit *u)
{
	for (size_t i = 0; i < u->n_placements; i++) {
		if (u->programs[u->placements[i].program].probe)
			placement_detach_all(u, &u->placements[i]);
	}
}

int probes_attach(struct unit *u, bool *ret_again, struct error *e)
{
	int err = 0;

	*ret_again = false;
	for (size_t i = 0; !err && i < u->n_probes; i++) {
		if (u->probes[i].state == PROBE_USED)
			err = attach_probe(u, &u->probes[i], ret_again, e);
	}
	if (*ret_again)
		detach_probes(u);
	return err;
}

/* ---- how it stands ---- */

void probes_tell(const struct unit *u)
{
	_cleanup_buf_ struct buf names = {0};
	size_t n = 0;

	for (size_t i = 0; i < u->n_probes; i++) {
		const struct probe *p = &u->probes[i];

		if (p->state == PROBE_ABSENT)
			buf_printf(&names, "%s%s", n++ ? ", " : "", p->config->name.text);
	}
	if (n)
		log_info("%s: not on this kernel: %s; why: wiregauge status", u->plan->name,
			 buf_str(&names));
}

bool probe_attached(const struct unit *u, const struct probe *p)
{
	struct slices_state slices;

	slices_get_state(u, p, &slices);
	if (slices.failing)
		return false;
	for (size_t i = 0; i < u->n_programs; i++) {
		if (probe_uses(p, u->programs[i].info.name) && unit_program_attached(u, i) == 0)
			return false;
	}
	return p->state == PROBE_USED;
}
