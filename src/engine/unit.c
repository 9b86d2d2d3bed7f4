// SPDX-License-Identifier: MIT
#include "engine/unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/network.h"
#include "engine/cgroup_map.h"
#include "engine/deferred.h"
#include "engine/interface_ids.h"
#include "engine/part.h"
#include "engine/persistence.h"
#include "engine/placement.h"
#include "engine/probe.h"
#include "engine/records.h"
#include "engine/sheets.h"
#include "engine/slices.h"
#include "kernel/ksyms.h"
#include "network.bpf.h"

/* ---- options and addresses into .rodata and maps, before the object is loaded ---- */

/* The numbers of a list; what they are was checked when they were given. */
static int set_list(struct object *o, const struct option_config *option, const struct strv *values,
		    struct error *e)
{
	_cleanup_free_ uint64_t *numbers = calloc(values->count + 1, sizeof(*numbers));

	if (!numbers)
		return error_set(e, -ENOMEM, "no memory for option '%s'", option->name.text);
	for (size_t i = 0; i < values->count; i++)
		option_parse_uint(values->items[i], &numbers[i]);
	return object_set_rodata_uints(o, option->rodata.text, numbers, values->count, e);
}

/* How many entries of @name one entry of the map itself holds. */
static uint32_t count_rows(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->metrics.count; i++) {
		const struct metric_config *m = &c->metrics.items[i];

		if (m->has_rows && STREQ(m->name.text, name))
			return m->rows.count;
	}
	return 1;
}

static int set_number(struct object *o, const struct config *c, const struct option_config *option,
		      uint64_t number, struct error *e)
{
	const char *map = option->max_entries.text;
	uint64_t entries = map ? MAX(number / count_rows(c, map), (uint64_t)1) : 0;
	int err = 0;

	if (entries > UINT32_MAX)
		return error_set_usage(e, "no map has %" PRIu64 " entries", number);
	if (map)
		err = object_set_max_entries(o, map, (uint32_t)entries, e);
	if (!err && option->rodata.text)
		err = object_set_rodata_uint(o, option->rodata.text, number, e);
	return err;
}

/* As bpf/network.bpf.h says; an empty text is no network. */
static int set_network(struct object *o, const struct option_config *option, const char *text,
		       struct error *e)
{
	uint32_t words[NETWORK_WORDS] = {0};
	uint64_t numbers[NETWORK_WORDS];
	uint8_t *address = (uint8_t *)&words[1], *mask = (uint8_t *)&words[5];
	struct network network;

	if (network_parse(text, &network)) {
		words[0] = network.size == 4 ? 4 : 6;
		for (unsigned bit = 0; bit < network.bits; bit++)
			mask[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
		for (size_t i = 0; i < network.size; i++)
			address[i] = network.bytes[i] & mask[i];
	}
	for (size_t i = 0; i < NETWORK_WORDS; i++)
		numbers[i] = words[i];
	return object_set_rodata_uints(o, option->rodata.text, numbers, NETWORK_WORDS, e);
}

const struct text *unit_option_target(const struct option_config *option)
{
	if (option->rodata.text)
		return &option->rodata;
	return option->max_entries.text ? &option->max_entries : NULL;
}

int unit_set_option(struct object *o, const struct config *c, const struct option_config *option,
		    const struct strv *values, struct error *e)
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
		return set_number(o, c, option, number, e);
	case OPTION_LIST:
		return set_list(o, option, values, e);
	case OPTION_NETWORK:
		return set_network(o, option, text, e);
	case OPTION_STRING:
		break;
	}
	return object_set_rodata_string(o, option->rodata.text, text, e);
}

static int set_options(struct object *o, const struct module *m, struct report *report)
{
	int err = 0;

	for (size_t i = 0; i < m->config->options.count; i++) {
		const struct option_config *option = &m->config->options.items[i];
		const struct text *target = unit_option_target(option);
		struct error error;

		/* Without a default, the object's own value stands until another is given. */
		if (!target || m->values[i].count == 0)
			continue;
		if (unit_set_option(o, m->config, option, &m->values[i], &error))
			err = report_error(report, &m->config->source, target->place, "%s",
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

static int configure(struct unit *u, struct report *report)
{
	int err = 0;

	for (size_t i = 0; i < u->plan->n_modules; i++) {
		const struct module *m = &u->plan->modules[i];

		if (set_options(u->object, m, report) ||
		    set_kaddrs(u->object, m, u->env->decode.ksyms, report) ||
		    switch_stage_on(u->object, m, report))
			err = -EINVAL;
	}
	return err;
}

/* ---- collectors ---- */

int unit_report_missing_map(const struct object *o, const struct config *config,
			    const struct text *name, struct report *report)
{
	_cleanup_buf_ struct buf names = {0};
	struct map_info map;

	for (size_t i = 0; object_map(o, i, &map); i++)
		buf_printf(&names, "%s%s", i ? ", " : "", map.name);
	return report_error(report, &config->source, name->place,
			    "the object has no map '%s'; it has: %s", name->text,
			    names.len ? buf_str(&names) : "none");
}

/* For `when:` of metrics. */
static bool option_is_on(const void *ctx, const char *name)
{
	return module_option_is_on(ctx, name);
}

/* For `top:`. */
static uint64_t option_number(const void *ctx, const char *name)
{
	const struct strv *values = module_option(ctx, name);
	uint64_t number = 0;

	if (values && values->count)
		option_parse_uint(values->items[0], &number);
	return number;
}

static int add_collector(struct unit *u, const struct module *m, const struct metric_config *metric,
			 const struct unit_env *env, struct report *report)
{
	struct collector_env collector_env = {
		.decode = &env->decode,
		.prefix = plan_prefix(u->plan, m),
		.aliases = u->plan->aliases,
		.when = option_is_on,
		.number = option_number,
		.when_ctx = m,
	};
	struct map_info map;
	struct feed *feed;
	int err;

	if (object_find_map(u->object, metric->name.text, &map))
		return unit_report_missing_map(u->object, m->config, &metric->name, report);
	err = events_add(&u->events, u->object, metric, &m->config->source, report, &map, &feed);
	if (err)
		return err;
	err = collector_new(metric, &m->config->source, &map, feed, &collector_env, report,
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
		size_t first = u->n_collectors;

		for (size_t k = 0; k < m->config->metrics.count; k++) {
			int failed = add_collector(u, m, &m->config->metrics.items[k], env, report);

			if (failed)
				err = failed;
		}
		for (size_t k = first; k < u->n_collectors; k++)
			collector_find_rests(u->collectors[k], u->collectors + first,
					     u->n_collectors - first);
	}
	return err;
}

/* ---- programs ---- */

/* Again after the object was opened again: names live as long as it. */
static int list_programs(struct unit *u)
{
	size_t n = object_program_count(u->object);

	if (!u->programs)
		u->programs = calloc(MAX(n, (size_t)1), sizeof(*u->programs));
	if (!u->programs)
		return -ENOMEM;
	u->n_programs = n;
	for (size_t i = 0; i < n; i++)
		object_program(u->object, i, &u->programs[i].info);
	return 0;
}

/* What is asked for by a probe, a row or its SEC(), and what only other programs call. */
static bool is_wanted(const struct unit *u, size_t index)
{
	const struct unit_program *p = &u->programs[index];

	if (p->probe)
		return probe_uses(p->probe, p->info.name) && program_has_placement(u, index);
	return !p->error && !p->deferred &&
	       (program_has_placement(u, index) || !(p->has_row || p->info.on_request));
}

static int choose_programs(const struct unit *u)
{
	int err = 0;

	for (size_t i = 0; !err && i < u->n_programs; i++)
		err = object_set_autoload(u->object, u->programs[i].info.name, is_wanted(u, i));
	return err;
}

/* Whether the unit before has loaded the program, and @why is that a right is gone since: what
 * would be left out now goes on in it. */
static bool predecessor_had_the_right(const struct unit *u, const char *program,
				      const struct error *why)
{
	struct program_info before;

	return u->predecessor && why->code == -EPERM && u->predecessor->object &&
	       !object_find_program(u->predecessor->object, program, &before) && before.loaded;
}

/* Leaves out program @index, whatever the others do; an error when that must not be. */
static int leave_out(struct unit *u, size_t index, const struct error *why, struct error *e)
{
	struct unit_program *p = &u->programs[index];
	size_t others = 0;

	if (predecessor_had_the_right(u, p->info.name, why)) {
		*e = *why;
		return error_hint(e, "the daemon had the right to do this when it started, and "
				     "gave it up (--capabilities.keep): restart it");
	}
	if (p->probe)
		return probe_fail(u, p->probe, p->info.name, why, e);
	for (size_t i = 0; i < u->n_programs; i++)
		others += i != index && is_wanted(u, i);
	if (u->env->strict || others == 0) {
		*e = *why;
		return why->code;
	}
	p->error = strdup(why->text);
	if (!p->error)
		return error_set(e, -ENOMEM, "no memory");
	log_warn("%s: program '%s' is left out, the others go on: %s", u->plan->name, p->info.name,
		 why->text);
	return 0;
}

/* Programs of which it is known beforehand that they cannot be loaded. */
static int refuse_programs(struct unit *u, struct error *e)
{
	int err = 0;

	for (size_t i = 0; !err && i < u->n_programs; i++) {
		struct error why;

		if (is_wanted(u, i) && object_refuses(u->object, i, &why))
			err = leave_out(u, i, &why, e);
	}
	return err;
}

static void warn_of_idle_programs(struct unit *u)
{
	for (size_t i = 0; i < u->n_programs; i++) {
		struct unit_program *p = &u->programs[i];

		if (!p->info.loaded || program_has_placement(u, i))
			continue;
		if (asprintf(&p->error,
			     "SEC(\"%s\") does not say where, and the config has no row under "
			     "`attach:` for it",
			     p->info.section) < 0)
			p->error = NULL;
		log_warn("%s: program '%s' is attached nowhere: %s", u->plan->name, p->info.name,
			 p->error ? p->error : "no memory to say why");
	}
}

int unit_program_attached(const struct unit *u, size_t index)
{
	const struct unit_program *p = &u->programs[index];
	int attached = -1;

	if (!p->info.loaded)
		return p->error ? 0 : -1;
	if (!program_has_placement(u, index))
		return 0;
	for (size_t i = 0; i < u->n_placements; i++) {
		const struct placement *at = &u->placements[i];

		if (at->program != index)
			continue;
		if (at->in_slices || at->n_attachments)
			return 1;
		if (at->failed)
			attached = 0;
	}
	return attached;
}

/* ---- a unit ---- */

static int sum_up_report(const struct unit *u, struct report *report, int err, struct error *e)
{
	if (err == -EINVAL && report->errors > 1)
		return error_set_usage(e, "%s; %u errors in all", buf_str(&report->first),
				       report->errors);
	if (err == -EINVAL)
		return error_set_usage(e, "%s", buf_str(&report->first));
	return error_set(e, err, "cannot load '%s': %s", u->plan->name, error_words(err));
}

/* The object as the options say, not yet in the kernel. */
static int open_object(struct unit *u, struct report *report, struct error *e)
{
	const struct plan *p = u->plan;
	int err = object_open(p->name, p->object, p->object_len, u->env->btf_path, &u->object, e);

	if (err)
		return err;
	if ((err = list_programs(u)) || (err = configure(u, report)) ||
	    (err = interface_ids_configure(u)))
		return sum_up_report(u, report, err, e);
	return persistence_reuse_maps(u, e);
}

/* The kernel takes an object as a whole. When it refuses one program, the object is made anew
 * without that one. */
static int load_object(struct unit *u, struct report *report, struct error *e)
{
	int err = refuse_programs(u, e);

	while (!err) {
		struct error why;
		int failed;

		err = choose_programs(u);
		if (err)
			return sum_up_report(u, report, err, e);
		if (!object_load(u->object, &why))
			return list_programs(u);
		failed = object_failed_program(u->object);
		if (failed < 0) {
			*e = why;
			return why.code;
		}
		err = leave_out(u, (size_t)failed, &why, e);
		object_close(u->object);
		u->object = NULL;
		if (!err)
			err = open_object(u, report, e);
	}
	return err;
}

/* From the open object to what reads its maps. */
static int load(struct unit *u, struct report *report, struct error *e)
{
	int err = load_object(u, report, e);

	if (!err &&
	    ((err = cgroup_maps_build(u, report)) || (err = add_collectors(u, u->env, report)) ||
	     (err = sheets_build(u, report)) || (err = records_build(u, report))))
		return sum_up_report(u, report, err, e);
	return err ? err : events_start(u->events, e);
}

static void unload(struct unit *u)
{
	parts_stop(u);
	cgroup_maps_free(u);
	events_free(TAKE_PTR(u->events));
	records_free(u);
	sheets_free(u);
	for (size_t i = 0; i < u->n_collectors; i++)
		collector_free(u->collectors[i]);
	free(TAKE_PTR(u->collectors));
	u->n_collectors = 0;
	u->interface_ids_fd = -1;
	deferred_unload(u);
	object_close(TAKE_PTR(u->object));
}

int unit_load(struct plan *plan, const struct unit_env *env, const struct unit *predecessor,
	      struct report *report, struct unit **ret, struct error *e)
{
	struct unit *u = calloc(1, sizeof(*u));
	int err;

	if (!u) {
		plan_free(plan);
		return error_set(e, -ENOMEM, "no memory");
	}
	u->plan = plan;
	u->env = env;
	u->predecessor = predecessor;
	u->interface_ids_fd = -1;
	err = open_object(u, report, e);
	if (!err && ((err = probes_build(u, report)) || (err = placements_build(u, report))))
		sum_up_report(u, report, err, e);
	if (!err)
		err = probes_choose(u, e);
	if (!err) {
		deferred_choose(u);
		err = load(u, report, e);
	}
	if (err) {
		unit_free(u);
		return err;
	}
	*ret = u;
	return 0;
}

/* All that programs count on is there before the first of them runs. */
static int attach_probes(struct unit *u, bool *ret_again, struct error *e)
{
	int err;

	persistence_carry_maps(u);
	err = parts_start(u, e);
	if (err)
		return err;
	cgroup_maps_fill(u);
	interface_ids_fill(u);
	return probes_attach(u, ret_again, e);
}

/* An object that is loaded takes no further programs: for another way it is made anew. */
static int attach_probes_by_some_way(struct unit *u, struct error *e)
{
	_cleanup_report_ struct report ignored = {0}; /* nothing new since unit_load() */
	bool again;
	int err = attach_probes(u, &again, e);

	while (!err && again) {
		unload(u);
		err = open_object(u, &ignored, e);
		if (!err)
			err = load(u, &ignored, e);
		if (!err)
			err = attach_probes(u, &again, e);
	}
	return err;
}

int unit_start(struct unit *u, struct error *e)
{
	int err = attach_probes_by_some_way(u, e);

	if (err)
		return err;
	probes_tell(u);
	warn_of_idle_programs(u);
	if (slices_start(u))
		return error_set(e, -ENOMEM, "no memory");
	return placements_start(u, e);
}

const char *unit_attach_error(const struct unit *u)
{
	for (size_t i = 0; i < u->n_placements; i++) {
		if (u->placements[i].error)
			return u->placements[i].error;
	}
	return NULL;
}

void unit_free(struct unit *u)
{
	if (!u)
		return;
	slices_stop(u);
	placements_free(u);
	unload(u);
	persistence_free(u);
	for (size_t i = 0; i < u->n_programs; i++)
		free(u->programs[i].error);
	free(u->programs);
	probes_free(u);
	plan_free(u->plan);
	free(u);
}

void unit_note_read_error(struct unit *u, const struct error *e)
{
	u->read_errors++;
	if (log_due(&u->read_error_logged))
		log_warn("%s: %s", u->plan->name, e->text);
}

void unit_read(struct unit *u)
{
	parts_fill(u); /* before iterators, which may use it */
	placements_run(u);
	for (size_t i = 0; i < u->n_collectors; i++) {
		uint64_t decode_errors = 0;
		struct error error;

		if (collector_read(u->collectors[i], &decode_errors, &error))
			unit_note_read_error(u, &error);
		u->decode_errors += decode_errors;
	}
	u->decode_errors += events_take_malformed(u->events);
}
