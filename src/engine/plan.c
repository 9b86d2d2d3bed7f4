// SPDX-License-Identifier: MIT
#include "engine/plan.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/network.h"
#include "base/suggest.h"
#include "config/sampling.h"
#include "engine/builtin.h"

/* ---- freeing ---- */

static void module_free(struct module *m)
{
	for (size_t i = 0; m->values && i < m->config->options.count; i++)
		strv_free(&m->values[i]);
	free(m->values);
	config_free(m->config);
	*m = (struct module){0};
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n_modules; i++)
		module_free(&p->modules[i]);
	free(p->modules);
	free(p->name);
	free(p->object_memory);
	free(p);
}

void plans_free(struct plans *p)
{
	for (size_t i = 0; i < p->count; i++)
		plan_free(p->items[i]);
	free(p->items);
	strv_free(&p->off);
	report_free(&p->report);
	strv_free(&p->broken);
	strv_free(&p->complaints);
	*p = (struct plans){0};
}

/* ---- modules and plans ---- */

/* A module with its options at their defaults. Takes over @config in any case. */
static int module_init(struct module *m, struct config *config, bool builtin)
{
	size_t n = config->options.count;

	*m = (struct module){.config = config, .builtin = builtin};
	m->values = calloc(MAX(n, (size_t)1), sizeof(*m->values));
	for (size_t i = 0; m->values && i < n; i++) {
		const struct text_list *defaults = &config->options.items[i].defaults;

		for (size_t k = 0; k < defaults->count; k++) {
			const char *text = defaults->items[k].text;

			if (strv_add(&m->values[i], text, strlen(text)))
				goto fail;
		}
	}
	if (m->values)
		return 0;
fail:
	module_free(m);
	return -ENOMEM;
}

static int plan_add_module(struct plan *p, struct config *config)
{
	struct module *modules = reallocarray(p->modules, p->n_modules + 1, sizeof(*modules));
	int err;

	if (!modules) {
		config_free(config);
		return -ENOMEM;
	}
	p->modules = modules;
	err = module_init(&modules[p->n_modules], config, p->builtin);
	p->n_modules += !err;
	return err;
}

/* A new plan at the end of @plans, owned by it, with @config as its first module (taken over). */
static struct plan *plans_add(struct plans *plans, struct config *config, bool builtin)
{
	struct plan **items = reallocarray(plans->items, plans->count + 1, sizeof(*items));
	struct plan *p = calloc(1, sizeof(*p));

	if (items)
		plans->items = items;
	if (!items || !p)
		goto fail;
	p->builtin = builtin;
	p->prefix = builtin ? PREFIX_BUILTIN : PREFIX_USER;
	p->name = strdup(config->name);
	if (!p->name)
		goto fail;
	if (plan_add_module(p, config)) {
		plan_free(p);
		return NULL;
	}
	items[plans->count++] = p;
	return p;
fail:
	config_free(config);
	plan_free(p);
	return NULL;
}

static struct plan *plans_find(const struct plans *plans, const char *name)
{
	for (size_t i = 0; i < plans->count; i++) {
		if (STREQ(plans->items[i]->name, name))
			return plans->items[i];
	}
	return NULL;
}

const char *plan_prefix(const struct plan *p, const struct module *m)
{
	return m->config->namespace_.text ? m->config->namespace_.text : p->prefix;
}

/* The config @name cannot be used, for what the report says first since it was last forgotten. */
static void plans_add_broken(struct plans *plans, const char *name)
{
	struct buf *first = &plans->report.first;

	if (!strv_add(&plans->complaints, buf_str(first), first->len))
		strv_add(&plans->broken, name, strlen(name));
	buf_reset(first);
}

/* ---- built-in modules ---- */

int builtin_parse(const struct builtin_module *b, struct report *report, struct config **ret)
{
	struct source source = {.text = strndup(b->manifest, b->manifest_len),
				.len = b->manifest_len};
	const char *folder = b->kind == BUILTIN_PIPELINE ? "pipeline" : "modules";

	if (!source.text || asprintf(&source.name, "%s/%s.yaml", folder, b->name) < 0) {
		free(source.text);
		return -ENOMEM;
	}
	return config_parse(b->name, source, report, ret);
}

static int parse_builtin(const struct builtin_module *b, struct plans *plans, struct config **ret)
{
	int err = builtin_parse(b, &plans->report, ret);

	if (err)
		plans_add_broken(plans, b->name);
	return err;
}

static int add_with_object(struct plans *plans, const struct builtin_module *b,
			   struct config *config, struct plan **ret)
{
	struct plan *p = plans_add(plans, config, true);

	if (!p)
		return -ENOMEM;
	p->object = b->object;
	p->object_len = b->object_len;
	if (ret)
		*ret = p;
	return 0;
}

/* The plan of the pipeline @name, made at its first stage. */
static int find_or_add_pipeline(struct plans *plans, const struct stage_config *stage,
				const struct config *config, struct plan **ret)
{
	const struct builtin_module *b = builtin_find(stage->pipeline.text);
	struct config *pipeline;
	int err;

	*ret = plans_find(plans, stage->pipeline.text);
	if (*ret)
		return 0;
	if (!b || b->kind != BUILTIN_PIPELINE)
		return report_error(&plans->report, &config->source, stage->pipeline.place,
				    "there is no pipeline '%s'", stage->pipeline.text);
	err = parse_builtin(b, plans, &pipeline);
	return err ? err : add_with_object(plans, b, pipeline, ret);
}

/* Takes over @config. */
static int add_builtin(struct plans *plans, const struct builtin_module *b, struct config *config)
{
	struct plan *pipeline;
	int err;

	if (!config->has_stage)
		return add_with_object(plans, b, config, NULL);
	err = find_or_add_pipeline(plans, &config->stage, config, &pipeline);
	if (err) {
		config_free(config);
		return err;
	}
	return plan_add_module(pipeline, config);
}

static const char *nearest_builtin(const char *name)
{
	const char *names[64];
	const struct builtin_module *b;
	size_t n = 0;

	for (size_t i = 0; (b = builtin_at(i)) && n < ARRAY_SIZE(names); i++)
		names[n++] = b->name;
	return suggest_nearest(name, names, n);
}

/* "there is no module 'pakets', did you mean 'packets'?" */
static int unknown_module(const char *name, struct error *e)
{
	const char *nearest = nearest_builtin(name);

	if (nearest)
		return error_set_usage(e, "there is no module '%s', did you mean '%s'?", name,
				       nearest);
	return error_set_usage(e, "there is no module '%s'; see: wiregauge modules list", name);
}

/* What somebody said of whether a module runs; nothing: as its manifest says. */
enum choice { CHOICE_NONE, CHOICE_ON, CHOICE_OFF };

/* Whether the daemon file says `enabled: false` (or true) for module @name. */
static enum choice choice_in_file(const struct daemon_config *file, const char *name)
{
	enum choice choice = CHOICE_NONE;
	bool enabled;

	for (size_t i = 0; file && i < file->settings.count; i++) {
		const struct setting *s = &file->settings.items[i];

		if (STREQ(s->module, name) && STREQ(s->name, "enabled") && s->values.count == 1 &&
		    !option_parse_bool(s->values.items[0], &enabled))
			choice = enabled ? CHOICE_ON : CHOICE_OFF;
	}
	return choice;
}

static enum choice choice_of(const struct plan_options *options, const struct daemon_config *file,
			     const char *name)
{
	if (!options->modules_given)
		return choice_in_file(file, name);
	return strv_has(&options->modules, name) ? CHOICE_ON : CHOICE_OFF;
}

/* Errors other than -ENOMEM are in the report. */
static int add_chosen(struct plans *plans, const struct builtin_module *b, enum choice choice)
{
	struct config *config;
	int err;

	if (choice == CHOICE_OFF)
		return strv_add(&plans->off, b->name, strlen(b->name));
	err = parse_builtin(b, plans, &config);
	if (err)
		return err;
	if (!config->off || choice == CHOICE_ON)
		return add_builtin(plans, b, config);
	config_free(config);
	return strv_add(&plans->off, b->name, strlen(b->name));
}

static int check_named(const struct strv *modules, struct error *e)
{
	for (size_t i = 0; i < modules->count; i++) {
		const struct builtin_module *b = builtin_find(modules->items[i]);

		if (!b || b->kind != BUILTIN_MODULE)
			return unknown_module(modules->items[i], e);
	}
	return 0;
}

static int add_builtins(struct plans *plans, const struct plan_options *options,
			const struct daemon_config *file, struct error *e)
{
	const struct builtin_module *b;
	int err = check_named(&options->modules, e);

	for (size_t i = 0; !err && (b = builtin_at(i)); i++) {
		if (b->kind == BUILTIN_MODULE &&
		    add_chosen(plans, b, choice_of(options, file, b->name)) == -ENOMEM)
			err = error_set(e, -ENOMEM, "no memory for module '%s'", b->name);
	}
	return err;
}

/* All of them, whatever runs: for their options. */
static int add_all_builtins(struct plans *plans)
{
	const struct builtin_module *b;
	int err = 0;

	for (size_t i = 0; err != -ENOMEM && (b = builtin_at(i)); i++) {
		if (b->kind == BUILTIN_MODULE)
			err = add_chosen(plans, b, CHOICE_ON);
	}
	return err == -ENOMEM ? err : 0;
}

/* ---- users' configs ---- */

static int read_object(struct plan *p, const char *dir, const char *name, struct plans *plans)
{
	_cleanup_free_ char *path = NULL;
	struct error error;
	int err;

	if (asprintf(&path, "%s/%s.bpf.o", dir, name) < 0)
		return -ENOMEM;
	err = file_read(path, OBJECT_MAX, &p->object_memory, &p->object_len, &error);
	if (err)
		return report_error(&plans->report, &p->modules[0].config->source,
				    (struct place){0},
				    "%s; each config needs its compiled object beside it",
				    error.text);
	p->object = p->object_memory;
	return 0;
}

/* Errors other than -ENOMEM are in the report. */
static int add_user_config(struct plans *plans, const char *dir, const char *name, bool named)
{
	_cleanup_free_ char *path = NULL;
	struct config *config;
	struct plan *p;
	int err;

	if (asprintf(&path, "%s/%s.yaml", dir, name) < 0)
		return -ENOMEM;
	err = config_parse_file(path, &plans->report, &config);
	if (err) {
		plans_add_broken(plans, name);
		return err;
	}
	if (config->has_stage) {
		err = report_error(&plans->report, &config->source, config->stage.place,
				   "only modules that are built in can be stages of a pipeline");
		plans_add_broken(plans, name);
		config_free(config);
		return err;
	}
	if (config->off && !named) {
		config_free(config);
		return 0;
	}
	p = plans_add(plans, config, false);
	if (!p)
		return -ENOMEM;
	err = read_object(p, dir, name, plans);
	if (err) {
		plans_add_broken(plans, name);
		plan_free(plans->items[--plans->count]);
	}
	return err;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of all *.yaml in @dir, sorted. */
static int list_configs(const char *dir, struct strv *ret, struct error *e)
{
	DIR *d = opendir(dir);
	struct dirent *entry;

	if (!d && errno == EACCES)
		return error_set(e, -errno, "cannot read the config directory '%s': %s", dir,
				 strerror(errno));
	if (!d)
		return error_set_usage(e, "cannot read the config directory '%s': %s", dir,
				       strerror(errno));
	while ((entry = readdir(d))) {
		const char *end = strrchr(entry->d_name, '.');

		if (entry->d_name[0] != '.' && end && STREQ(end, ".yaml"))
			strv_add(ret, entry->d_name, (size_t)(end - entry->d_name));
	}
	closedir(d);
	if (ret->count)
		qsort(ret->items, ret->count, sizeof(*ret->items), compare_strings);
	return 0;
}

static int add_user_configs(struct plans *plans, const struct plan_options *options,
			    struct error *e)
{
	_cleanup_strv_ struct strv found = {0};
	const struct strv *names = &options->config_names;
	bool named = names->count > 0;
	int err;

	if (!options->config_dir) {
		if (names->count)
			return error_set_usage(e, "--config.names needs --config.dir");
		return 0;
	}
	/* Also with names given: a folder that is not there is no config that is wrong. */
	err = list_configs(options->config_dir, &found, e);
	if (err)
		return err;
	if (names->count == 0)
		names = &found;
	for (size_t i = 0; i < names->count; i++) {
		for (size_t k = 0; k < i; k++) {
			if (STREQ(names->items[i], names->items[k]))
				return error_set_usage(e, "config '%s' is named twice",
						       names->items[i]);
		}
		if (add_user_config(plans, options->config_dir, names->items[i], named) == -ENOMEM)
			return error_set(e, -ENOMEM, "no memory for config '%s'", names->items[i]);
	}
	return 0;
}

/* ---- options ---- */

static struct module *find_module(struct plans *plans, const char *name)
{
	for (size_t i = 0; i < plans->count; i++) {
		struct plan *p = plans->items[i];

		for (size_t k = 0; k < p->n_modules; k++) {
			if (STREQ(p->modules[k].config->name, name))
				return &p->modules[k];
		}
	}
	return NULL;
}

static void add_wrong(struct buf *to, const char *takes, const char *value)
{
	buf_printf(to, "takes %s, not '%s'", takes, value);
}

/* @what: "a whole number" */
static void check_number(const struct option_config *option, const char *what, const char *value,
			 struct buf *wrong)
{
	_cleanup_buf_ struct buf takes = {0};
	uint64_t number;

	if (!option_parse_uint(value, &number) && (!option->max || number <= option->max))
		return;
	buf_add_str(&takes, what);
	if (option->max)
		buf_printf(&takes, " of at most %u", option->max);
	add_wrong(wrong, buf_str(&takes), value);
}

/* A list that goes into a variable is one of numbers. */
static void check_list(const struct option_config *option, const struct strv *values,
		       struct buf *wrong)
{
	for (size_t i = 0; option->rodata.text && i < values->count && !wrong->len; i++)
		check_number(option, "whole numbers", values->items[i], wrong);
}

/* Whether some probe of @c is sampled as the option @name says. */
static bool is_sampling(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->probes.count; i++) {
		const char *option = c->probes.items[i].sampled.text;

		if (option && STREQ(option, name))
			return true;
	}
	return false;
}

/* Whether @value fits @option of @c; otherwise what would goes to @wrong. */
static void check_value(const struct config *c, const struct option_config *option,
			const char *value, struct buf *wrong)
{
	_cleanup_buf_ struct buf choices = {0};
	struct sampling sampling;
	struct network network;
	bool truth;

	if (option->type == OPTION_BOOL && option_parse_bool(value, &truth))
		add_wrong(wrong, "true or false", value);
	else if (option->type == OPTION_UINT)
		check_number(option, "a whole number", value, wrong);
	else if (option->type == OPTION_NETWORK && *value && !network_parse(value, &network))
		add_wrong(wrong, NETWORK_TAKES, value);
	else if (is_sampling(c, option->name.text) && !sampling_parse(value, &sampling))
		add_wrong(wrong, SAMPLING_TAKES, value);
	if (option_is_choice(option, value))
		return;
	option_add_choices(option, &choices);
	add_wrong(wrong, buf_str(&choices), value);
}

static void check_values(const struct config *c, const struct option_config *option,
			 const struct strv *values, struct buf *wrong)
{
	if (option->type == OPTION_LIST)
		check_list(option, values, wrong);
	else if (values->count != 1)
		add_wrong(wrong, "one value", values->count ? values->items[0] : "");
	else
		check_value(c, option, values->items[0], wrong);
}

static int unknown_option(const struct module *m, const char *name, struct error *e)
{
	const char *names[64];
	const char *nearest;
	size_t n = MIN(m->config->options.count, ARRAY_SIZE(names));

	for (size_t i = 0; i < n; i++)
		names[i] = m->config->options.items[i].name.text;
	nearest = suggest_nearest(name, names, n);
	return error_set_usage(
		e, "module '%s' has no option '%s'%s%s%s; see: wiregauge modules options %s",
		m->config->name, name, nearest ? ", did you mean '" : "", nearest ? nearest : "",
		nearest ? "'?" : "", m->config->name);
}

static int apply(struct plans *plans, const char *module, const char *name,
		 const struct strv *values, struct error *e)
{
	struct module *m = find_module(plans, module);
	const struct option_config *option;
	_cleanup_buf_ struct buf wrong = {0};
	struct strv *to;

	/* An option of a module that does not run now is no mistake. */
	if (!m)
		return builtin_find(module) || strv_has(&plans->broken, module)
			       ? 0
			       : unknown_module(module, e);
	option = config_find_option(m->config, name);
	if (!option)
		return unknown_option(m, name, e);
	check_values(m->config, option, values, &wrong);
	if (wrong.len)
		return error_set_usage(e, "option '%s' of module '%s' %s", name, module,
				       buf_str(&wrong));
	to = &m->values[option - m->config->options.items];
	strv_free(to);
	return strv_add_all(to, values) ? error_set(e, -ENOMEM, "no memory") : 0;
}

/* `enabled:` was heeded when modules were chosen; here is said what is wrong with it. */
static int check_enabled(const struct setting *s, struct error *e)
{
	const struct builtin_module *b = builtin_find(s->module);
	bool truth;

	if (!b)
		return error_set_usage(e,
				       "'%s' is not built in; which of your own configs run: "
				       "--config.names",
				       s->module);
	if (b->kind == BUILTIN_PIPELINE)
		return error_set_usage(e,
				       "'%s' is a pipeline: it runs when one of its modules does",
				       s->module);
	if (s->values.count != 1 || option_parse_bool(s->values.items[0], &truth))
		return error_set_usage(e, "'enabled' takes true or false");
	return 0;
}

static bool is_module(struct plans *plans, const char *name)
{
	return builtin_find(name) || strv_has(&plans->broken, name) || find_module(plans, name);
}

static int apply_setting(struct plans *plans, const struct setting *s, struct error *e)
{
	if (!is_module(plans, s->module))
		return 0; /* told once, at the name of the module */
	if (STREQ(s->name, "enabled"))
		return check_enabled(s, e);
	return apply(plans, s->module, s->name, &s->values, e);
}

/* To set it up is not to switch it on: perhaps it was forgotten. */
static void warn_of_off(struct plans *plans, const struct daemon_config *file)
{
	for (size_t i = 0; i < file->modules.count; i++) {
		const struct text *name = &file->modules.items[i];

		if (strv_has(&plans->off, name->text) &&
		    choice_in_file(file, name->text) == CHOICE_NONE)
			report_warning(&plans->report, &file->source, name->place,
				       "module '%s' is off unless it says 'enabled: true'",
				       name->text);
	}
}

/* The names of modules in the daemon file. With @alone nothing is known of users' configs. */
static int check_modules(struct plans *plans, const struct daemon_config *file, bool alone)
{
	struct error error;
	int result = 0;

	for (size_t i = 0; i < file->modules.count; i++) {
		const struct text *name = &file->modules.items[i];

		if (is_module(plans, name->text))
			continue;
		unknown_module(name->text, &error);
		if (alone && !nearest_builtin(name->text))
			report_warning(&plans->report, &file->source, name->place,
				       "no module '%s' is built in; a config of that name has to "
				       "be in the --config.dir",
				       name->text);
		else
			result = report_error(&plans->report, &file->source, name->place, "%s",
					      error.text);
	}
	return result;
}

/* All that is wrong with what the daemon file says goes to the report: -EINVAL, or -ENOMEM. */
static int apply_file(struct plans *plans, const struct daemon_config *file, bool alone)
{
	struct error error;
	int result = check_modules(plans, file, alone);

	for (size_t i = 0; i < file->settings.count; i++) {
		const struct setting *s = &file->settings.items[i];
		int err = apply_setting(plans, s, &error);

		if (err == -EINVAL)
			result = report_error(&plans->report, &file->source, s->place, "%s",
					      error.text);
		else if (err)
			return err;
	}
	return result;
}

/* MODULE.NAME=VALUE; a list's values are separated by commas. */
static int apply_text(struct plans *plans, const char *text, struct error *e)
{
	_cleanup_strv_ struct strv values = {0};
	const char *dot = strchr(text, '.'), *equals = strchr(text, '=');
	char module[64], name[64];
	const struct module *m;
	const struct option_config *option;
	int err;

	if (!dot || !equals || dot > equals || dot - text >= (long)sizeof(module) ||
	    equals - dot > (long)sizeof(name))
		return error_set_usage(e, "--option takes MODULE.NAME=VALUE, not '%s'", text);
	snprintf(module, sizeof(module), "%.*s", (int)(dot - text), text);
	snprintf(name, sizeof(name), "%.*s", (int)(equals - dot - 1), dot + 1);
	m = find_module(plans, module);
	option = m ? config_find_option(m->config, name) : NULL;
	err = option && option->type == OPTION_LIST
		      ? strv_add_split(&values, equals + 1, ',')
		      : strv_add(&values, equals + 1, strlen(equals + 1));
	return err ? error_set(e, err, "no memory") : apply(plans, module, name, &values, e);
}

/* ---- what decides what a plan does ---- */

static int take_fingerprint(struct plan *p)
{
	XXH128_hash_t hash = XXH3_128bits(p->object, p->object_len);
	_cleanup_buf_ struct buf all = {0};

	buf_add(&all, &hash, sizeof(hash));
	buf_add_char(&all, (char)p->aliases);
	for (size_t i = 0; i < p->n_modules; i++) {
		const struct module *m = &p->modules[i];

		buf_add(&all, m->config->source.meaning, sizeof(m->config->source.meaning));
		for (size_t k = 0; k < m->config->options.count; k++) {
			for (size_t v = 0; v < m->values[k].count; v++)
				buf_add(&all, m->values[k].items[v],
					strlen(m->values[k].items[v]) + 1);
			buf_add_char(&all, '\0');
		}
	}
	if (!buf_ok(&all))
		return -ENOMEM;
	hash = XXH3_128bits(all.data, all.len);
	p->fingerprint[0] = hash.low64;
	p->fingerprint[1] = hash.high64;
	return 0;
}

DEFINE_CLEANUP(struct daemon_config *, daemon_config_free)

int plans_build(const struct plan_options *options, struct plans *ret, struct error *e)
{
	_cleanup_(daemon_config_free_p) struct daemon_config *file = NULL;
	struct plans plans = {.report.lenient = options->lenient};
	int err = 0;

	if (options->config_file &&
	    daemon_config_parse_file(options->config_file, &plans.report, &file))
		err = error_set_usage(e, "%s", buf_str(&plans.report.text));
	if (!err)
		err = add_builtins(&plans, options, file, e);
	if (!err)
		err = add_user_configs(&plans, options, e);
	if (!err && file && !options->modules_given)
		warn_of_off(&plans, file);
	if (!err && file && (err = apply_file(&plans, file, false)))
		err = err == -EINVAL ? error_set_usage(e, "%s", buf_str(&plans.report.text))
				     : error_set(e, err, "no memory");
	for (size_t i = 0; !err && i < options->settings.count; i++)
		err = apply_text(&plans, options->settings.items[i], e);
	plans.web_api = options->web_api || (file && file->web.api);
	for (size_t i = 0; !err && i < plans.count; i++) {
		plans.items[i]->aliases = options->aliases || (file && file->aliases);
		for (size_t k = 0; k < plans.items[i]->n_modules; k++)
			plans.items[i]->modules[k].owner = &plans.items[i]->modules[0];
		if (take_fingerprint(plans.items[i]))
			err = error_set(e, -ENOMEM, "no memory for the plan of '%s'",
					plans.items[i]->name);
	}
	if (err) {
		plans_free(&plans);
		return err;
	}
	*ret = plans;
	return 0;
}

int plans_check_daemon_file(const char *path, struct report *report)
{
	_cleanup_(daemon_config_free_p) struct daemon_config *file = NULL;
	struct plans plans = {.report = *report};
	int err = daemon_config_parse_file(path, &plans.report, &file);

	if (!err)
		err = add_all_builtins(&plans);
	if (!err)
		err = apply_file(&plans, file, true);
	*report = plans.report;
	plans.report = (struct report){0};
	plans_free(&plans);
	return err;
}
