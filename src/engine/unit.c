// SPDX-License-Identifier: MIT
#include "engine/unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/follow.h"
#include "kernel/ksyms.h"

/* ---- options and addresses into .rodata, before the object is loaded ---- */

int unit_set_option(struct object *o, const struct option_config *option, const struct strv *values,
		    struct error *e)
{
	const char *text = values->count ? values->items[0] : "";
	uint64_t number = 0;
	bool truth = false;

	switch (option->type) {
	case OPTION_BOOL:
		option_parse_bool(text, &truth);
		return object_set_rodata_uint(o, option->rodata.text, truth, e);
	case OPTION_UINT:
		option_parse_uint(text, &number);
		return object_set_rodata_uint(o, option->rodata.text, number, e);
	case OPTION_STRING:
	case OPTION_LIST:
		break;
	}
	return object_set_rodata_string(o, option->rodata.text, text, e);
}

static int set_options(struct object *o, const struct module *m, struct report *report)
{
	int err = 0;

	for (size_t i = 0; i < m->config->options.count; i++) {
		const struct option_config *option = &m->config->options.items[i];
		struct error error;

		/* Without a default, the object's own value stands until another is given. */
		if (!option->rodata.text || m->values[i].count == 0)
			continue;
		if (unit_set_option(o, option, &m->values[i], &error))
			err = report_error(report, &m->config->source, option->rodata.place, "%s",
					   error.text);
	}
	return err;
}

/* `const volatile u64 kaddr_<symbol>` for each symbol in the config's kaddrs. */
static int set_kaddrs(struct object *o, const struct module *m, struct ksyms *ksyms,
		      struct report *report)
{
	int err = 0;

	for (size_t i = 0; i < m->config->kaddrs.count; i++) {
		const struct text *symbol = &m->config->kaddrs.items[i];
		char variable[256];
		struct error error;
		uint64_t address;

		snprintf(variable, sizeof(variable), "kaddr_%s", symbol->text);
		if (ksyms_address(ksyms, symbol->text, &address, &error) ||
		    object_set_rodata_uint(o, variable, address, &error))
			err = report_error(report, &m->config->source, symbol->place, "%s",
					   error.text);
	}
	return err;
}

/* The pipeline's switch for a stage module: `const volatile bool stage_<name>`. */
static int switch_stage_on(struct object *o, const struct module *m, struct report *report)
{
	char variable[128];
	struct error error;

	if (!m->config->has_stage)
		return 0;
	snprintf(variable, sizeof(variable), "stage_%s", m->config->name);
	if (object_set_rodata_uint(o, variable, true, &error))
		return report_error(report, &m->config->source, m->config->stage.place, "%s",
				    error.text);
	return 0;
}

static int configure(struct unit *u, const struct unit_env *env, struct report *report)
{
	int err = 0;

	for (size_t i = 0; i < u->plan->n_modules; i++) {
		const struct module *m = &u->plan->modules[i];

		if (set_options(u->object, m, report) ||
		    set_kaddrs(u->object, m, env->decode.ksyms, report) ||
		    switch_stage_on(u->object, m, report))
			err = -EINVAL;
	}
	return err;
}

/* ---- collectors ---- */

int unit_report_missing_map(const struct object *o, const struct config *config,
			    const struct metric_config *metric, struct report *report)
{
	_cleanup_buf_ struct buf names = {0};
	struct map_info map;

	for (size_t i = 0; object_map(o, i, &map); i++)
		buf_printf(&names, "%s%s", i ? ", " : "", map.name);
	return report_error(report, &config->source, metric->name.place,
			    "the object has no map '%s'; it has: %s", metric->name.text,
			    names.len ? buf_str(&names) : "none");
}

/* For `when:`, whether the bool option @name of the module is on. */
static bool option_is_on(const void *ctx, const char *name)
{
	const struct strv *values = module_option(ctx, name);
	bool on = false;

	if (values && values->count)
		option_parse_bool(values->items[0], &on);
	return on;
}

static int add_collector(struct unit *u, const struct module *m, const struct metric_config *metric,
			 const struct unit_env *env, struct report *report)
{
	struct collector_env collector_env = {
		.decode = &env->decode,
		.prefix = plan_prefix(u->plan, m),
		.when = option_is_on,
		.when_ctx = m,
	};
	struct map_info map;
	int err;

	if (object_find_map(u->object, metric->name.text, &map))
		return unit_report_missing_map(u->object, m->config, metric, report);
	err = collector_new(metric, &m->config->source, &map, NULL, &collector_env, report,
			    &u->collectors[u->n_collectors]);
	u->n_collectors += !err;
	return err;
}

static int add_collectors(struct unit *u, const struct unit_env *env, struct report *report)
{
	size_t n = 0;
	int err = 0;

	for (size_t i = 0; i < u->plan->n_modules; i++)
		n += u->plan->modules[i].config->metrics.count;
	u->collectors = calloc(MAX(n, (size_t)1), sizeof(struct collector *));
	if (!u->collectors)
		return -ENOMEM;
	for (size_t i = 0; i < u->plan->n_modules; i++) {
		const struct module *m = &u->plan->modules[i];

		for (size_t k = 0; k < m->config->metrics.count; k++) {
			int failed = add_collector(u, m, &m->config->metrics.items[k], env, report);

			if (failed)
				err = failed;
		}
	}
	return err;
}

/* ---- programs ---- */

static int list_programs(struct unit *u)
{
	size_t n = object_program_count(u->object);

	u->programs = calloc(MAX(n, (size_t)1), sizeof(*u->programs));
	if (!u->programs)
		return -ENOMEM;
	u->n_programs = n;
	for (size_t i = 0; i < n; i++) {
		object_program(u->object, i, &u->programs[i].info);
		u->programs[i].by_section = object_attaches_by_section(u->object, i);
	}
	return 0;
}

static bool has_follower(const struct unit *u, size_t program)
{
	for (size_t i = 0; i < u->n_followers; i++) {
		if (u->followers[i].program == program)
			return true;
	}
	return false;
}

static int start_program(struct unit *u, size_t index, bool strict, struct error *e)
{
	struct unit_program *p = &u->programs[index];
	struct error error;
	int err;

	if (!p->info.loaded)
		return 0;
	if (!p->by_section) {
		if (!has_follower(u, index))
			log_warn("%s: program '%s' is attached nowhere: SEC(\"%s\") does not say "
				 "where, and the config has no row under `attach:` for it",
				 u->plan->name, p->info.name, p->info.section);
		return 0;
	}
	err = object_attach(u->object, index, &error);
	p->attached = !err;
	if (!err)
		return 0;
	p->error = strdup(error.text);
	if (strict)
		return error_set(e, err, "%s", error.text);
	log_warn("%s: %s", u->plan->name, error.text);
	return 0;
}

int unit_program_attached(const struct unit *u, size_t index)
{
	const struct unit_program *p = &u->programs[index];
	int attached = -1;

	if (!p->info.loaded)
		return -1;
	if (p->by_section)
		return p->attached;
	if (!has_follower(u, index))
		return 0;
	for (size_t i = 0; i < u->n_followers; i++) {
		const struct follower *f = &u->followers[i];

		if (f->program != index)
			continue;
		if (f->n_links)
			return 1;
		if (f->failed)
			attached = 0;
	}
	return attached;
}

/* ---- a unit ---- */

static int sum_up_report(const struct unit *u, const struct report *report, int err,
			 struct error *e)
{
	if (err == -EINVAL)
		return error_set_usage(e, "the config of '%s' is wrong (%u errors)", u->plan->name,
				       report->errors);
	return error_set(e, err, "cannot load '%s': %s", u->plan->name, strerror(-err));
}

int unit_load(struct plan *plan, const struct unit_env *env, struct report *report,
	      struct unit **ret, struct error *e)
{
	struct unit *u = calloc(1, sizeof(*u));
	int err;

	if (!u) {
		plan_free(plan);
		return error_set(e, -ENOMEM, "no memory");
	}
	u->plan = plan;
	err = object_open(plan->name, plan->object, plan->object_len, env->btf_path, &u->object, e);
	if (err)
		goto fail;
	err = configure(u, env, report);
	if (err) {
		sum_up_report(u, report, err, e);
		goto fail;
	}
	err = object_load(u->object, e);
	if (err)
		goto fail;
	if ((err = list_programs(u)) || (err = add_collectors(u, env, report)) ||
	    (err = followers_build(u, report))) {
		sum_up_report(u, report, err, e);
		goto fail;
	}
	*ret = u;
	return 0;
fail:
	unit_free(u);
	return err;
}

int unit_start(struct unit *u, bool strict, struct error *e)
{
	for (size_t i = 0; i < u->n_programs; i++) {
		int err = start_program(u, i, strict, e);

		if (err)
			return err;
	}
	return 0;
}

const char *unit_follow_error(const struct unit *u)
{
	for (size_t i = 0; i < u->n_followers; i++) {
		if (u->followers[i].error)
			return u->followers[i].error;
	}
	return NULL;
}

void unit_free(struct unit *u)
{
	if (!u)
		return;
	followers_free(u);
	for (size_t i = 0; i < u->n_collectors; i++)
		collector_free(u->collectors[i]);
	free(u->collectors);
	for (size_t i = 0; i < u->n_programs; i++)
		free(u->programs[i].error);
	free(u->programs);
	object_close(u->object);
	plan_free(u->plan);
	free(u);
}

void unit_read(struct unit *u)
{
	for (size_t i = 0; i < u->n_collectors; i++) {
		uint64_t decode_errors = 0;
		struct error error;

		if (collector_read(u->collectors[i], &decode_errors, &error)) {
			u->read_errors++;
			if (log_due(&u->read_error_logged))
				log_warn("%s: %s", u->plan->name, error.text);
		}
		u->decode_errors += decode_errors;
	}
}
