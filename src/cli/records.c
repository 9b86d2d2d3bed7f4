// SPDX-License-Identifier: MIT
/* Records of modules as they come: `wiregauge records MODULE [NAME]`, and the commands of built-in
 * modules. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/answer.h"
#include "cli/module_commands.h"
#include "cli/quantity.h"
#include "cli/watch.h"
#include "control/arguments.h"
#include "control/client.h"
#include "control/operation.h"

struct records_options {
	const char *control_socket;
	struct module_filters filters;
	struct cli_list columns;
	bool json;
};

static const struct cli_option option_rows[] = {
	CLI_OPTION_COLUMNS(struct records_options, columns),
	MODULE_FILTER_OPTIONS(struct records_options,
			      filters){.name = "json",
				       .type = CLI_FLAG,
				       .offset = offsetof(struct records_options, json),
				       .help = "Print JSON, one object a line, plain numbers"},
	CLI_OPTION_SOCKET(struct records_options, control_socket),
};

/* How often it is asked for what is new. */
#define ASK_EVERY_SECONDS 0.1

/* Seconds since 1970 with their milliseconds have 13 digits; more are of the double. */
#define LINE_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(15))

struct show {
	const struct records_options *options;
	const char *module, *name; /* name NULL: the first */
	uint64_t after, lost;
	struct grid grid; /* its columns only grow */
	size_t n_shown;   /* of its columns, when it was last said which are not */
	bool begun;
};

/* ---- a line ---- */

static void add_time(struct grid *g, const json_t *row)
{
	double time = answer_number(row, "time"), whole = floor(time);
	time_t seconds = (time_t)whole;
	char clock[32] = "", text[40];
	struct tm local;

	if (localtime_r(&seconds, &local))
		strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	snprintf(text, sizeof(text), "%s.%03d", clock, (int)((time - whole) * 1000));
	grid_add(g, text);
}

static void add_value(struct grid *g, const json_t *row, const json_t *column)
{
	const char *name = answer_text(column, "name"), *unit = answer_text(column, "unit");

	if (answer_is_kind(column, "text"))
		grid_add(g, answer_text(row, name));
	else
		grid_add(g, quantity_format(answer_number(row, name), unit, false).text);
}

static void add_row(struct grid *g, const json_t *row, const json_t *columns)
{
	json_t *column;
	size_t i;

	add_time(g, row);
	json_array_foreach(columns, i, column) add_value(g, row, column);
}

static void add_columns(struct grid *g, const json_t *columns)
{
	const struct grid_column time = {.header = "TIME", .widest = strlen("hh:mm:ss.mmm")};
	json_t *column;
	size_t i;

	grid_add_column(g, &time);
	json_array_foreach(columns, i, column)
	{
		struct grid_column c = answer_grid_column(column, answer_text(column, "header"));

		c.widest = answer_room(column);
		grid_add_column(g, &c);
	}
}

/* In a terminal the header comes again where rows have become wider, or the terminal has. */
static void write_grid(struct show *s, struct buf *out)
{
	size_t width = terminal_size().columns;

	if ((grid_lay_out(&s->grid, width) && width) || !s->begun) {
		if (s->n_shown != grid_shown(&s->grid))
			grid_write_left_out(&s->grid, width, out);
		s->n_shown = grid_shown(&s->grid);
		grid_write_header(&s->grid, out);
	}
	grid_write_rows(&s->grid, out);
}

/* ---- asking ---- */

static void write_lines(const json_t *rows, struct buf *out)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		char *line = json_dumps(row, LINE_FLAGS);

		buf_printf(out, "%s\n", line ? line : "");
		free(line);
	}
}

static void write_records(struct show *s, const json_t *answer, struct buf *out)
{
	const json_t *columns = json_object_get(answer, "columns");
	json_t *row;
	size_t i;

	if (!s->begun)
		add_columns(&s->grid, columns);
	json_array_foreach(json_object_get(answer, "rows"), i, row)
	{
		add_row(&s->grid, row, columns);
	}
	write_grid(s, out);
}

/* What was lost on the way since the last time is told, not hidden. */
static void write_losses(struct show *s, const json_t *answer, struct buf *out)
{
	uint64_t lost = (uint64_t)json_integer_value(json_object_get(answer, "lost"));
	uint64_t skipped = (uint64_t)json_integer_value(json_object_get(answer, "skipped"));
	uint64_t missed = skipped + (s->begun && lost > s->lost ? lost - s->lost : 0);

	s->lost = lost;
	if (!missed)
		return;
	if (s->options->json)
		buf_printf(out, "{\"lost\":%llu}\n", (unsigned long long)missed);
	else
		buf_printf(out, "-- %llu more came faster than they could be read\n",
			   (unsigned long long)missed);
}

static void write_answer(struct show *s, const json_t *answer, struct buf *out)
{
	write_losses(s, answer, out);
	if (s->options->json)
		write_lines(json_object_get(answer, "rows"), out);
	else
		write_records(s, answer, out);
	s->after = (uint64_t)json_integer_value(json_object_get(answer, "next"));
	s->begun = true;
}

static int make_path(const struct show *s, struct buf *path, struct error *e)
{
	char after[32];

	snprintf(after, sizeof(after), "%llu", (unsigned long long)s->after);
	buf_add_str(path, "/v1/records");
	argument_add(path, "module", s->module);
	argument_add(path, "table", s->name);
	argument_add(path, "after", after);
	return module_filters_add(&s->options->filters, path, e);
}

static int show_new(void *ctx, struct buf *out, struct error *e)
{
	_cleanup_buf_ struct buf path = {0};
	struct show *s = ctx;
	json_t *answer;
	int err = make_path(s, &path, e);

	if (!err)
		err = control_ask(s->options->control_socket, buf_str(&path), &answer, e);
	if (err)
		return err;
	err = answer_choose_columns(answer, &s->options->columns.values, e);
	if (!err)
		write_answer(s, answer, out);
	json_decref(answer);
	return err || buf_ok(out) ? err : error_set(e, -ENOMEM, "no memory");
}

static enum exit_code show_records(struct show *s)
{
	const struct watch w = {.seconds = ASK_EVERY_SECONDS};
	struct error error;
	int err = watch_run(&w, show_new, s, &error);

	grid_free(&s->grid);
	return err ? command_fail(&error) : EXIT_DONE;
}

/* ---- commands ---- */

static enum exit_code run_any(const struct command_call *call)
{
	struct show s = {.options = call->options};
	struct error error;

	if (call->n_arguments < 1 || call->n_arguments > 2) {
		error_set_usage(&error, "records takes the name of a module or config, and of one "
					"of its kinds of records; what runs: wiregauge status");
		return command_fail(&error);
	}
	s.module = call->arguments[0];
	s.name = call->n_arguments > 1 ? call->arguments[1] : NULL;
	return show_records(&s);
}

COMMAND(records, .name = "records", .arguments = "MODULE [NAME]", .choices = CHOICES_MODULES,
	.summary = "Show records of a module or of your own config as they come", .order = 295,
	.text = "Until Ctrl-C. What did not fit into the buffer on its way is told. What the "
		"fields "
		"are is said under `records:` in the config.",
	.options = option_rows, .n_options = ARRAY_SIZE(option_rows),
	.size = sizeof(struct records_options), .run = run_any);

static bool has_filter(const void *ctx, enum column_filter filter)
{
	const struct records_config *r = ctx;

	for (size_t i = 0; i < r->fields.count; i++) {
		if (r->fields.items[i].column.filter == filter)
			return true;
	}
	return false;
}

static enum exit_code run_module(const struct command_call *call)
{
	const struct module_command *m =
		CONTAINER_OF(call->command, struct module_command, command);
	struct show s = {.options = call->options, .module = m->module, .name = m->name};

	return show_records(&s);
}

void records_command_make(struct module_command *m, const struct config *c,
			  const struct records_config *r)
{
	module_command_init(m, c, &r->name, &r->help, &r->text);
	m->command.run = run_module;
	m->command.size = sizeof(struct records_options);
	for (size_t i = 0; i < ARRAY_SIZE(option_rows); i++)
		module_command_add(m, &option_rows[i], has_filter, r);
}
