// SPDX-License-Identifier: MIT
/* What can be wrong with the probes of a config whose keys and types are right. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "config/key_types.h"
#include "config/language.h"
#include "config/sampling.h"

int check_way(struct binding *at, void *item)
{
	const struct way_config *way = item;
	_cleanup_free_ struct named_place *names = calloc(way->programs.count + 1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	check_name(at, &way->mechanism, &probe_name_rule);
	check_names(at, &way->programs, &c_name_rule);
	for (size_t i = 0; i < way->programs.count; i++)
		names[i] = (struct named_place){way->programs.items[i].text,
						way->programs.items[i].place};
	binding_check_unique(at, "program", names, way->programs.count);
	return 0;
}

int check_probe(struct binding *at, void *item)
{
	const struct probe_config *probe = item;
	_cleanup_free_ struct named_place *names = calloc(probe->ways.count + 1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	check_name(at, &probe->name, &probe_name_rule);
	for (size_t i = 0; i < probe->ways.count; i++)
		names[i] = (struct named_place){probe->ways.items[i].mechanism.text,
						probe->ways.items[i].mechanism.place};
	binding_check_unique(at, "mechanism", names, probe->ways.count);
	return 0;
}

static bool has_program(const struct probe_config *probe, const char *name)
{
	for (size_t i = 0; i < probe->ways.count; i++) {
		const struct text_list *programs = &probe->ways.items[i].programs;

		for (size_t k = 0; k < programs->count; k++) {
			if (programs->items[k].text && STREQ(programs->items[k].text, name))
				return true;
		}
	}
	return false;
}

/* Several ways of one probe may share a program: only one of them is taken. */
static void check_not_in(const struct binding *at, const struct probe_config *earlier,
			 const struct text *program)
{
	if (program->text && has_program(earlier, program->text))
		binding_error(at, program->place,
			      "program '%s' is in probe '%s' of line %u too, and can be of one "
			      "probe only",
			      shown(program->text).text,
			      earlier->name.text ? shown(earlier->name.text).text : "",
			      earlier->place.line);
}

static void check_programs(const struct binding *at, const struct config *c, size_t index)
{
	const struct probe_config *probe = &c->probes.items[index];

	for (size_t earlier = 0; earlier < index; earlier++) {
		for (size_t i = 0; i < probe->ways.count; i++) {
			const struct text_list *programs = &probe->ways.items[i].programs;

			for (size_t k = 0; k < programs->count; k++)
				check_not_in(at, &c->probes.items[earlier], &programs->items[k]);
		}
	}
}

/* The option says how much of the time; so does its default, which it needs. */
static void check_sampled(const struct binding *at, const struct config *c, const struct text *t)
{
	const struct option_config *o = t->text ? config_find_option(c, t->text) : NULL;
	const struct text *value = o && o->defaults.count ? &o->defaults.items[0] : NULL;
	struct sampling ignored;

	if (!t->text)
		return;
	check_is_option(at, c, t, t->text, OPTION_STRING, "string");
	if (!o || o->type != OPTION_STRING)
		return;
	if (!value)
		binding_error(at, o->place,
			      "option '%s' needs a default, since a probe is sampled by it",
			      shown(t->text).text);
	else if (value->text && !sampling_parse(value->text, &ignored))
		binding_error(at, value->place,
			      "option '%s' says how a probe is sampled: it takes %s",
			      shown(t->text).text, SAMPLING_TAKES);
}

static bool has_row(const struct config *c, const char *program)
{
	for (size_t i = 0; i < c->attach.count; i++) {
		const struct text *name = &c->attach.items[i].program;

		if (name->text && STREQ(name->text, program))
			return true;
	}
	return false;
}

/* In the object of its pipeline all other programs are the pipeline's. */
static void check_is_own(const struct binding *at, const struct config *c,
			 const struct probe_config *probe)
{
	for (size_t i = 0; i < probe->ways.count; i++) {
		const struct text_list *programs = &probe->ways.items[i].programs;

		for (size_t k = 0; k < programs->count; k++) {
			const struct text *name = &programs->items[k];

			if (name->text && !has_row(c, name->text))
				binding_error(at, name->place,
					      "a probe of a stage is made of programs that the "
					      "stage itself attaches; add a row for '%s' under "
					      "`attach:`",
					      shown(name->text).text);
		}
	}
}

int check_probes(const struct binding *at, const struct config *c)
{
	_cleanup_free_ struct named_place *names = calloc(c->probes.count + 1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < c->probes.count; i++) {
		const struct probe_config *probe = &c->probes.items[i];

		names[i] = (struct named_place){probe->name.text, probe->name.place};
		check_when(at, c, &probe->when);
		check_sampled(at, c, &probe->sampled);
		check_programs(at, c, i);
		if (c->has_stage)
			check_is_own(at, c, probe);
	}
	binding_check_unique(at, "probe", names, c->probes.count);
	return 0;
}
