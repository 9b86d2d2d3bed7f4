// SPDX-License-Identifier: MIT
/* Tables of modules: `wiregauge table MODULE [NAME]`, and the commands of built-in modules. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "cli/answer.h"
#include "cli/command.h"
#include "cli/module_commands.h"
#include "cli/table_view.h"
#include "cli/watch.h"
#include "control/arguments.h"
#include "control/client.h"
#include "control/operation.h"

struct table_options {
	const char *control_socket;
	const char *by;
	const char *sort;
	const char *limit;
	const char *watch;
	struct module_filters filters;
	struct cli_list columns;
	bool summary;
	bool draw;
	bool json;
};

#define AT(member) .offset = offsetof(struct table_options, member)

static const struct cli_option option_rows[] = {
	{"by", "GROUP", NULL, NULL, CLI_STRING, AT(by),
	 "Add up the rows of a group, or of columns: NAME,NAME"},
	{"sort", "COLUMN", NULL, NULL, CLI_STRING, AT(sort),
	 "Largest first; with --watch what grows fastest"},
	{"limit", "N", NULL, NULL, CLI_STRING, AT(limit),
	 "So many rows, what is left added up as other; 0 for all. As fits, with --json all"},
	CLI_OPTION_COLUMNS(struct table_options, columns),
	MODULE_FILTER_OPTIONS(struct table_options,
			      filters){"draw", NULL, NULL, NULL, CLI_FLAG, AT(draw),
				       "Draw the histograms instead of telling some quantiles"},
	{"summary", NULL, NULL, NULL, CLI_FLAG, AT(summary),
	 "Quantiles in a table instead of histograms that are drawn"},
	{"watch", "SECONDS", NULL, NULL, CLI_OPTIONAL, AT(watch),
	 "Again and again, every 2 seconds unless said otherwise, until Ctrl-C: what is counted as "
	 "so many a second"},
	{.name = "json",
	 .type = CLI_FLAG,
	 AT(json),
	 .help = "Print JSON, plain numbers; with --watch one object a line"},
	CLI_OPTION_SOCKET(struct table_options, control_socket),
};

/* ---- asking ---- */

/* A command that runs: which table, how it is asked for. */
struct show {
	const struct table_options *options;
	const char *module, *table; /* NULL: the main one */
	uint64_t session;
	uint32_t limit;
	bool limited; /* by the person */
	bool again;   /* not the first time */
	struct table_layout layout;
};

/* LINES_AROUND: title and blank, or the two prompts; the header, other and total. */
enum {
	ROWS_DEFAULT = 20,
	ROWS_DRAWN = 6,
	ROWS_LEAST = 5,
	LINES_DRAWN_AROUND = 2,
	LINES_AROUND = 5,
	LINES_LEFT_OUT = 2,
};

static void add_number(struct buf *path, const char *name, uint64_t number)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	argument_add(path, name, text);
}

static int make_path(const struct show *s, struct buf *path, struct error *e)
{
	const struct table_options *o = s->options;

	buf_add_str(path, "/v1/table");
	argument_add(path, "module", s->module);
	argument_add(path, "table", s->table);
	argument_add(path, "by", o->by);
	argument_add(path, "sort", o->sort);
	add_number(path, "limit", s->limit);
	if (s->session)
		add_number(path, "session", s->session);
	return module_filters_add(&o->filters, path, e);
}

static int ask(const struct show *s, struct buf *answer, struct error *e)
{
	_cleanup_buf_ struct buf path = {0};
	int err = make_path(s, &path, e);

	return err ? err : control_ask_text(s->options->control_socket, buf_str(&path), answer, e);
}

/* Nobody will come back: the daemon need not remember. That it may have ended is no error. */
static void end_session(const struct show *s)
{
	_cleanup_buf_ struct buf path = {0}, ignored = {0};
	struct error error;

	buf_add_str(&path, "/v1/table");
	argument_add(&path, "module", s->module);
	argument_add(&path, "table", s->table);
	add_number(&path, "session", s->session);
	argument_add(&path, "end", "1");
	control_ask_text(s->options->control_socket, buf_str(&path), &ignored, &error);
}

/* ---- showing ---- */

static bool is_empty(const json_t *table)
{
	return json_array_size(json_object_get(table, "rows")) == 0;
}

/* Why there are no rows. */
static const char *words_for_empty(const struct show *s, const json_t *table)
{
	if (module_filters_given(&s->options->filters))
		return "nothing fits what is asked for";
	if (json_is_number(json_object_get(table, "seconds")))
		return "nothing in this time";
	return answer_text(table, "empty");
}

static int parse_table(const struct show *s, const struct buf *answer, json_t **ret,
		       struct error *e)
{
	json_error_t wrong;
	json_t *table = json_loadb(answer->data, answer->len, 0, &wrong);
	int err;

	if (!table)
		return error_set(e, -EPROTO, "the daemon's answer is no JSON: %s", wrong.text);
	answer_drop_zero_rows(table);
	err = answer_put_texts_first(table, e);
	if (!err)
		err = answer_choose_columns(table, &s->options->columns.values, e);
	if (err)
		json_decref(table);
	else
		*ret = table;
	return err;
}

/* One object a line: nothing in JSON's texts is a line end as it is. */
static void add_line(struct buf *out, const struct buf *json)
{
	for (size_t i = 0; i < json->len; i++) {
		if (json->data[i] != '\n')
			buf_add_char(out, json->data[i]);
	}
	buf_add_char(out, '\n');
}

/* What, when, since when. */
static void add_title(const struct show *s, const json_t *table, struct buf *out)
{
	const json_t *seconds = json_object_get(table, "seconds");
	time_t now = (time_t)json_number_value(json_object_get(table, "time"));
	const char *by = answer_text(table, "by");
	struct tm local;
	char clock[32] = "";

	if (localtime_r(&now, &local))
		strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	buf_printf(out, "%s  %s%s%s, ", clock, s->module, *by ? " by " : "", by);
	if (json_is_number(seconds))
		buf_printf(out, "last %.3g s", json_number_value(seconds));
	else
		buf_add_str(out, "since the start");
	buf_printf(out, ": %s\n", answer_text(table, "help"));
}

/* What would wrap or scroll the screen is left out. */
static void cut_to_screen(struct buf *text, struct terminal screen)
{
	_cleanup_buf_ struct buf cut = {0};
	char *rest = (char *)buf_str(text), *line;

	for (size_t i = 0; i < screen.rows && (line = strsep(&rest, "\n")); i++) {
		const char *end = line;

		if (!rest && !*line)
			break;
		for (size_t n = 0; n < screen.columns && *end; n++) {
			end++;
			while (((unsigned char)*end & 0xc0) == 0x80)
				end++;
		}
		if (i)
			buf_add_char(&cut, '\n');
		buf_add(&cut, line, (size_t)(end - line));
	}
	buf_reset(text);
	buf_add(text, cut.data, cut.len);
}

/* @below: lines below the table. */
static uint32_t rows_that_fit(struct terminal screen, size_t below, uint32_t least)
{
	size_t around = LINES_AROUND + below;

	return screen.rows > around + least ? (uint32_t)(screen.rows - around) : least;
}

static void lay_out_for(struct show *s, struct terminal screen)
{
	s->layout.width = screen.columns;
	s->layout.height = s->limited || screen.rows <= LINES_DRAWN_AROUND
				   ? 0
				   : screen.rows - LINES_DRAWN_AROUND;
}

static void write_watched(struct show *s, const json_t *table, struct terminal screen,
			  struct buf *out)
{
	lay_out_for(s, screen);
	if (s->again && !screen.rows)
		buf_add_char(out, '\n');
	add_title(s, table, out);
	buf_add_char(out, '\n');
	if (is_empty(table))
		buf_printf(out, "%s\n", words_for_empty(s, table));
	else
		table_view_write(table, &s->layout, out);
	if (screen.rows)
		cut_to_screen(out, screen);
}

static int show_again(void *ctx, struct buf *out, struct error *e)
{
	_cleanup_buf_ struct buf answer = {0};
	struct terminal screen = terminal_size();
	struct show *s = ctx;
	json_t *table;
	int err;

	if (screen.rows && !s->options->json && !s->limited)
		s->limit = rows_that_fit(screen, s->layout.lines_below, 1);
	err = ask(s, &answer, e);
	if (err)
		return err;
	if (s->options->json) {
		add_line(out, &answer);
	} else {
		err = parse_table(s, &answer, &table, e);
		if (err)
			return err;
		write_watched(s, table, screen, out);
		json_decref(table);
	}
	s->again = true;
	return buf_ok(out) ? 0 : error_set(e, -ENOMEM, "no memory");
}

static int watch(struct show *s, struct error *e)
{
	struct watch w = {.screen = !s->options->json && terminal_size().rows};
	int err = watch_parse(s->options->watch, &w.seconds, e);

	if (err)
		return err;
	while (!s->session) {
		if (getrandom(&s->session, sizeof(s->session), 0) != sizeof(s->session))
			s->session = clock_monotonic_ns();
	}
	err = watch_run(&w, show_again, s, e);
	end_session(s);
	return err;
}

static int show_once(struct show *s, struct error *e)
{
	_cleanup_buf_ struct buf answer = {0}, out = {0};
	json_t *table;
	int err = ask(s, &answer, e);

	if (err)
		return err;
	if (s->options->json) {
		fwrite(answer.data, 1, answer.len, stdout);
		return 0;
	}
	err = parse_table(s, &answer, &table, e);
	if (err)
		return err;
	lay_out_for(s, terminal_size());
	if (is_empty(table))
		fprintf(stderr, "%s\n", words_for_empty(s, table));
	else
		table_view_write(table, &s->layout, &out);
	json_decref(table);
	if (out.len)
		fwrite(out.data, 1, out.len, stdout);
	return 0;
}

/* As many rows as fit without scrolling; which columns fit is not known before they are there. A
 * table that is drawn takes many lines for each row. */
static uint32_t limit_by_itself(const struct show *s)
{
	struct terminal screen = terminal_size();

	if (s->options->json)
		return 0;
	if (s->layout.draw)
		return ROWS_DRAWN;
	return screen.rows ? rows_that_fit(screen, LINES_LEFT_OUT, ROWS_LEAST) : ROWS_DEFAULT;
}

static int choose_limit(struct show *s, struct error *e)
{
	const char *text = s->options->limit;
	unsigned long number;
	char *end;

	s->limit = limit_by_itself(s);
	if (!text)
		return 0;
	number = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || number > UINT32_MAX)
		return error_set_usage(e, "--limit takes a whole number, not '%s'", text);
	s->limit = (uint32_t)number;
	s->limited = true;
	return 0;
}

/* @draw: histograms are drawn unless something else is asked for. */
static enum exit_code show_table(struct show *s, bool draw)
{
	struct error error;
	int err;

	s->layout.summary = s->options->summary;
	s->layout.draw = s->options->draw || (draw && !s->options->summary);
	err = choose_limit(s, &error);
	if (!err)
		err = s->options->watch ? watch(s, &error) : show_once(s, &error);
	return err ? command_fail(&error) : EXIT_DONE;
}

/* ---- any table ---- */

static enum exit_code run_any(const struct command_call *call)
{
	struct show s = {.options = call->options};
	struct error error;

	if (call->n_arguments < 1 || call->n_arguments > 2) {
		error_set_usage(&error, "table takes the name of a module or config, and of one of "
					"its tables; what runs: wiregauge status");
		return command_fail(&error);
	}
	s.module = call->arguments[0];
	s.table = call->n_arguments > 1 ? call->arguments[1] : NULL;
	return show_table(&s, false);
}

COMMAND(table, .name = "table", .arguments = "MODULE [TABLE]", .choices = CHOICES_MODULES,
	.summary = "Show a table of a module or of your own config", .order = 290,
	.text = "Those of built-in modules have commands of their own, too. What the columns are "
		"is said under `tables:` in the config.",
	.examples = "  wiregauge table timers --watch", .options = option_rows,
	.n_options = ARRAY_SIZE(option_rows), .size = sizeof(struct table_options), .run = run_any);

/* ---- those of built-in modules ---- */

static bool has_filter(const void *ctx, enum column_filter filter)
{
	const struct table_config *t = ctx;

	for (size_t i = 0; i < t->columns.count; i++) {
		if (t->columns.items[i].filter == filter)
			return true;
	}
	return false;
}

/* Names of groups or, to sort by, of columns, apart by blanks; NULL: none. */
static char *choices_of(const struct config *c, const struct table_config *t, const char *option)
{
	const struct metric_config *m = config_find_map(c, t->map.text);
	struct buf names = {0};

	for (size_t i = 0; STREQ(option, "by") && i < t->groups.count; i++)
		buf_printf(&names, "%s%s", i ? " " : "", t->groups.items[i].name.text);
	for (size_t i = 0; STREQ(option, "sort") && i < t->columns.count; i++) {
		if (!column_is_text(m, &t->columns.items[i]))
			buf_printf(&names, "%s%s", names.len ? " " : "",
				   t->columns.items[i].name.text);
	}
	if (names.len)
		return (char *)buf_str(&names);
	buf_free(&names);
	return NULL;
}

/* "help: flow, host" */
static char *help_of(const char *text, const char *choices)
{
	struct buf help = {0};

	buf_printf(&help, "%s: ", text);
	for (const char *at = choices; *at; at++) {
		if (*at == ' ')
			buf_add_char(&help, ',');
		buf_add_char(&help, *at);
	}
	return (char *)buf_str(&help);
}

static enum exit_code run_module(const struct command_call *call)
{
	const struct module_command *m =
		CONTAINER_OF(call->command, struct module_command, command);
	struct show s = {.options = call->options, .module = m->module, .table = m->name};

	return show_table(&s, m->draw);
}

static bool has_histogram(const struct config *c, const struct table_config *t)
{
	const struct metric_config *m = config_find_map(c, t->map.text);

	for (size_t i = 0; i < t->columns.count; i++) {
		if (column_is_histogram(m, &t->columns.items[i]))
			return true;
	}
	return false;
}

/* One of --draw and --summary, if any. */
static bool is_of_use(const struct cli_option *o, const struct config *c,
		      const struct table_config *t)
{
	if (STREQ(o->name, "summary"))
		return t->draw;
	return !STREQ(o->name, "draw") || (!t->draw && has_histogram(c, t));
}

void table_command_make(struct module_command *m, const struct config *c,
			const struct table_config *t)
{
	m->draw = t->draw;
	module_command_init(m, c, &t->name, &t->help, &t->text);
	m->command.run = run_module;
	m->command.size = sizeof(struct table_options);
	for (size_t i = 0; i < ARRAY_SIZE(option_rows); i++) {
		struct cli_option *o;

		if (!is_of_use(&option_rows[i], c, t))
			continue;
		o = module_command_add(m, &option_rows[i], has_filter, t);
		if (!o || !(o->choices = choices_of(c, t, o->name)))
			continue;
		o->help = help_of(o->help, o->choices);
	}
}
