// SPDX-License-Identifier: MIT
/* Records of modules as they come: `wiregauge records MODULE [NAME]`, and the commands of built-in
 * modules. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/utf8.h"
#include "cli/grid.h"
#include "cli/module_commands.h"
#include "cli/quantity.h"
#include "cli/watch.h"
#include "control/arguments.h"
#include "control/client.h"
#include "control/operation.h"

struct records_options {
	const char *control_socket;
	struct module_filters filters;
	bool json;
};

static const struct cli_option option_rows[] = {
	MODULE_FILTER_OPTIONS(struct records_options,
			      filters){.name = "json",
				       .type = CLI_FLAG,
				       .offset = offsetof(struct records_options, json),
				       .help = "Print JSON, one object a line, plain numbers"},
	CLI_OPTION_SOCKET(struct records_options, control_socket),
};

/* How often it is asked for what is new. */
#define ASK_EVERY_SECONDS 0.1

enum { RECORD_COLUMNS_MAX = 33, GAP = 2 };

/* Seconds since 1970 with their milliseconds have 13 digits; more are of the double. */
#define LINE_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(15))

struct show {
	const struct records_options *options;
	const char *module, *name; /* name NULL: the first */
	uint64_t after, lost;
	size_t widths[RECORD_COLUMNS_MAX]; /* of the columns; they only grow */
	bool begun;
};

/* ---- a line ---- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* Texts to the left, numbers to the right. */
static void add_cell(struct show *s, size_t column, bool right, const char *text, struct buf *out)
{
	_cleanup_buf_ struct buf visible = {0};
	size_t *width = &s->widths[column], length;

	grid_add_visible(&visible, text);
	length = utf8_length(buf_str(&visible));
	*width = MAX(*width, length);
	if (column)
		buf_printf(out, "%*s", GAP, "");
	if (right)
		buf_printf(out, "%*s", (int)(*width - length), "");
	buf_add(out, visible.data, visible.len);
	if (!right)
		buf_printf(out, "%*s", (int)(*width - length), "");
}

/* Without the blanks that would fill up its last column. */
static void end_line(struct buf *out)
{
	while (out->len && out->data[out->len - 1] == ' ')
		out->len--;
	buf_add_char(out, '\n');
}

static bool is_text(const json_t *column)
{
	return STREQ(text_of(column, "kind"), "text");
}

static void add_time(struct show *s, const json_t *row, struct buf *out)
{
	double time = json_number_value(json_object_get(row, "time")), whole = floor(time);
	time_t seconds = (time_t)whole;
	char clock[32] = "", text[40];
	struct tm local;

	if (localtime_r(&seconds, &local))
		strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	snprintf(text, sizeof(text), "%s.%03d", clock, (int)((time - whole) * 1000));
	add_cell(s, 0, false, text, out);
}

static void add_value(struct show *s, size_t at, const json_t *row, const json_t *column,
		      struct buf *out)
{
	const json_t *value = json_object_get(row, text_of(column, "name"));

	if (is_text(column))
		add_cell(s, at, false, text_of(row, text_of(column, "name")), out);
	else
		add_cell(s, at, true,
			 quantity_format(json_is_number(value) ? json_number_value(value) : NAN,
					 text_of(column, "unit"), false)
				 .text,
			 out);
}

static void add_row(struct show *s, const json_t *row, const json_t *columns, struct buf *out)
{
	json_t *column;
	size_t i;

	add_time(s, row, out);
	json_array_foreach(columns, i, column) add_value(s, i + 1, row, column, out);
	end_line(out);
}

static void add_header(struct show *s, const json_t *columns, struct buf *out)
{
	json_t *column;
	size_t i;

	add_cell(s, 0, false, "TIME        ", out);
	json_array_foreach(columns, i, column)
	{
		add_cell(s, i + 1, !is_text(column), text_of(column, "header"), out);
	}
	end_line(out);
}

/* ---- asking ---- */

static void write_records(struct show *s, const json_t *answer, struct buf *out)
{
	const json_t *columns = json_object_get(answer, "columns");
	json_t *row;
	size_t i;

	if (!s->begun && !s->options->json)
		add_header(s, columns, out);
	json_array_foreach(json_object_get(answer, "rows"), i, row)
	{
		char *line = s->options->json ? json_dumps(row, LINE_FLAGS) : NULL;

		if (line)
			buf_printf(out, "%s\n", line);
		else
			add_row(s, row, columns, out);
		free(line);
	}
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
	write_losses(s, answer, out);
	write_records(s, answer, out);
	s->after = (uint64_t)json_integer_value(json_object_get(answer, "next"));
	s->begun = true;
	json_decref(answer);
	return buf_ok(out) ? 0 : -ENOMEM;
}

static enum exit_code show_records(struct show *s)
{
	const struct watch w = {.seconds = ASK_EVERY_SECONDS};
	struct error error;

	return watch_run(&w, show_new, s, &error) ? command_fail(&error) : EXIT_DONE;
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
