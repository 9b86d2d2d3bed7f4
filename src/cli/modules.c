// SPDX-License-Identifier: MIT
/* What is in the binary: its modules, told from their manifests. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/suggest.h"
#include "cli/columns.h"
#include "cli/command.h"
#include "cli/modules.h"
#include "config/config.h"
#include "engine/builtin.h"
#include "engine/describe.h"
#include "engine/plan.h"

struct modules_options {
	bool json;
};

static const struct cli_option modules_option_rows[] = {
	CLI_OPTION_JSON(struct modules_options, json),
};

DEFINE_CLEANUP(struct config *, config_free)

static const char *kind_name(const struct builtin_module *b)
{
	return b->kind == BUILTIN_PIPELINE ? "pipeline" : "module";
}

/* Whether it runs unless somebody says something; a pipeline runs with its stages. */
static const char *default_name(const struct builtin_module *b, const struct config *c)
{
	if (b->kind == BUILTIN_PIPELINE)
		return "";
	return c->off ? "off" : "on";
}

struct config *modules_parse(const struct builtin_module *b)
{
	_cleanup_report_ struct report report = {0};
	struct config *c = NULL;

	if (builtin_parse(b, &report, &c))
		fputs(buf_str(&report.text), stderr);
	return c;
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static void print_json(json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(value);
}

/* ---- list ---- */

static json_t *summary_to_json(const struct builtin_module *b, const struct config *c)
{
	json_t *summary = json_pack("{s:s, s:s, s:s}", "name", b->name, "kind", kind_name(b),
				    "description", or_empty(c->description.text));

	if (b->kind == BUILTIN_MODULE)
		json_object_set_new(summary, "enabled", json_boolean(!c->off));
	return summary;
}

static enum exit_code run_list(const struct command_call *call)
{
	const struct modules_options *o = call->options;
	struct columns table = {.n = 4};
	json_t *list = json_array();
	const struct builtin_module *b;

	columns_add(&table, "NAME", "KIND", "DEFAULT", "WHAT");
	for (size_t i = 0; (b = builtin_at(i)); i++) {
		_cleanup_(config_free_p) struct config *c = modules_parse(b);

		if (!c)
			continue;
		columns_add(&table, b->name, kind_name(b), default_name(b, c),
			    or_empty(c->description.text));
		json_array_append_new(list, summary_to_json(b, c));
	}
	if (o->json) {
		print_json(list);
		strv_free(&table.cells);
	} else {
		json_decref(list);
		columns_print(&table);
	}
	return EXIT_DONE;
}

COMMAND(modules_list, .name = "modules list", .summary = "The modules that are built in",
	.order = 300, .options = modules_option_rows, .n_options = ARRAY_SIZE(modules_option_rows),
	.size = sizeof(struct modules_options), .run = run_list);

/* ---- finding the one that is named ---- */

static enum exit_code find_named(const struct command_call *call, const struct builtin_module **ret)
{
	const char *names[64];
	const struct builtin_module *b;
	const char *nearest;
	struct error error;
	size_t n = 0;

	if (call->n_arguments != 1) {
		error_set_usage(&error,
				"%s takes the name of one module; see: wiregauge modules list",
				call->command->name);
		return command_fail(&error);
	}
	*ret = builtin_find(call->arguments[0]);
	if (*ret)
		return EXIT_DONE;
	for (size_t i = 0; (b = builtin_at(i)) && n < ARRAY_SIZE(names); i++)
		names[n++] = b->name;
	nearest = suggest_nearest(call->arguments[0], names, n);
	error_set_usage(&error, "there is no module '%s'%s%s%s; see: wiregauge modules list",
			call->arguments[0], nearest ? ", did you mean '" : "",
			nearest ? nearest : "", nearest ? "'?" : "");
	return command_fail(&error);
}

/* Shows the module that is named, as a person or a program wants it. */
static enum exit_code show_named(const struct command_call *call,
				 void (*show)(const struct builtin_module *b,
					      const struct config *c),
				 json_t *(*to_json)(const struct builtin_module *b,
						    const struct config *c))
{
	const struct modules_options *o = call->options;
	_cleanup_(config_free_p) struct config *c = NULL;
	const struct builtin_module *b = NULL;
	enum exit_code code = find_named(call, &b);

	if (!b)
		return code;
	c = modules_parse(b);
	if (!c)
		return EXIT_FAILED;
	if (o->json)
		print_json(to_json(b, c));
	else
		show(b, c);
	return EXIT_DONE;
}

/* ---- options ---- */

static void join(struct buf *b, const struct text_list *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		buf_printf(b, "%s%s", i ? "," : "", texts->items[i].text);
}

static json_t *texts_to_json(const struct text_list *texts)
{
	json_t *list = json_array();

	for (size_t i = 0; i < texts->count; i++)
		json_array_append_new(list, json_string(texts->items[i].text));
	return list;
}

/* What it takes: of a string that has few values these. */
static void add_type(struct buf *b, const struct option_config *o)
{
	if (o->choices.count)
		option_add_choices(o, b);
	else
		buf_add_str(b, option_type_name(o->type));
}

static json_t *options_to_json(const struct builtin_module *b, const struct config *c)
{
	json_t *list = json_array();

	(void)b;

	for (size_t i = 0; i < c->options.count; i++) {
		const struct option_config *o = &c->options.items[i];
		_cleanup_buf_ struct buf fallback = {0};
		json_t *option;

		join(&fallback, &o->defaults);
		option = json_pack("{s:s, s:s, s:s, s:s}", "name", o->name.text, "type",
				   option_type_name(o->type), "default", buf_str(&fallback), "help",
				   or_empty(o->help.text));
		if (o->choices.count)
			json_object_set_new(option, "choices", texts_to_json(&o->choices));
		json_array_append_new(list, option);
	}
	return list;
}

static void print_options(const struct builtin_module *b, const struct config *c)
{
	struct columns table = {.n = 4};

	(void)b;
	columns_add(&table, "OPTION", "TYPE", "DEFAULT", "WHAT");
	for (size_t i = 0; i < c->options.count; i++) {
		const struct option_config *o = &c->options.items[i];
		_cleanup_buf_ struct buf name = {0};
		_cleanup_buf_ struct buf fallback = {0};
		_cleanup_buf_ struct buf type = {0};

		add_type(&type, o);
		buf_printf(&name, "%s.%s", c->name, o->name.text);
		join(&fallback, &o->defaults);
		columns_add(&table, buf_str(&name), buf_str(&type), buf_str(&fallback),
			    o->help.text);
	}
	columns_print(&table);
}

static enum exit_code run_options(const struct command_call *call)
{
	return show_named(call, print_options, options_to_json);
}

COMMAND(modules_options, .name = "modules options", .arguments = "MODULE",
	.choices = CHOICES_BUILTIN,
	.summary = "The options of a module, for --option and the daemon file", .order = 320,
	.options = modules_option_rows, .n_options = ARRAY_SIZE(modules_option_rows),
	.size = sizeof(struct modules_options), .run = run_options);

/* ---- describe ---- */

static void print_metric(void *ctx, const struct metric_doc *m)
{
	_cleanup_buf_ struct buf what = {0};

	(void)ctx;
	printf("\n  %s%s%s%s\n      ", m->name, *m->labels ? "{" : "", m->labels,
	       *m->labels ? "}" : "");
	buf_printf(&what, "%s: %s", m->type, m->help);
	print_wrapped(buf_str(&what), 6);
}

static void metric_to_json(void *ctx, const struct metric_doc *m)
{
	json_array_append_new(ctx, json_pack("{s:s, s:s, s:s, s:s}", "name", m->name, "type",
					     m->type, "labels", m->labels, "help", m->help));
}

static json_t *describe_to_json(const struct builtin_module *b, const struct config *c)
{
	json_t *metrics = json_array(), *described = summary_to_json(b, c);

	module_each_metric(c, metric_to_json, metrics);
	json_object_set_new(described, "options", options_to_json(b, c));
	json_object_set_new(described, "metrics", metrics);
	return described;
}

static void print_description(const struct builtin_module *b, const struct config *c)
{
	printf("%s (%s): %s\n", b->name, kind_name(b), or_empty(c->description.text));
	if (c->has_stage)
		printf("A stage of the pipeline '%s'; where that is attached: wiregauge modules "
		       "options %s\n",
		       c->stage.pipeline.text, c->stage.pipeline.text);
	if (c->off)
		printf("Off by default: run --module %s, or modules: {%s: {enabled: true}} in the "
		       "daemon file\n",
		       b->name, b->name);
	if (c->metrics.count)
		puts("\nMetrics:");
	module_each_metric(c, print_metric, NULL);
	if (c->options.count) {
		puts("\nOptions:");
		print_options(b, c);
	}
}

static enum exit_code run_describe(const struct command_call *call)
{
	return show_named(call, print_description, describe_to_json);
}

COMMAND(modules_describe, .name = "modules describe", .arguments = "MODULE",
	.choices = CHOICES_BUILTIN, .summary = "What a module measures: its metrics and options",
	.order = 310, .options = modules_option_rows, .n_options = ARRAY_SIZE(modules_option_rows),
	.size = sizeof(struct modules_options), .run = run_describe);
