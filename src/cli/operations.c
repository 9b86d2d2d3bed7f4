// SPDX-License-Identifier: MIT
#include "cli/operations.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/answer.h"
#include "cli/columns.h"
#include "cli/module_commands.h"
#include "cli/table_view.h"
#include "control/client.h"

extern const struct operation_view *const __start_wiregauge_views[];
extern const struct operation_view *const __stop_wiregauge_views[];

enum { OPERATIONS_MAX = 64, COMMON_OPTIONS = 2 };

/* What one argument is given as, by its type. */
union given {
	bool flag;
	const char *text;
	struct cli_list list;
};

struct operation_options {
	const char *control_socket;
	bool json;
	union given given[OPERATION_ARGUMENTS_MAX];
};

/* One command, for the whole life of the process. */
struct operation_command {
	struct command command; /* what is called knows its struct by this */
	struct cli_option options[COMMON_OPTIONS + OPERATION_ARGUMENTS_MAX];
	const struct operation *operation;
};

/* ---- asking ---- */

/* What argument @index was given as an option. */
static void add_option(struct buf *path, const struct operation_argument *a, const union given *g)
{
	if (a->repeated)
		for (size_t i = 0; i < g->list.values.count; i++)
			argument_add(path, a->name, g->list.values.items[i]);
	else if (a->type == ARGUMENT_FLAG)
		argument_add(path, a->name, g->flag ? "1" : NULL);
	else
		argument_add(path, a->name, g->text);
}

static int make_path(const struct command_call *call, const struct operation *o, struct buf *path,
		     struct error *e)
{
	const struct operation_options *options = call->options;
	int next = 0;

	buf_add_str(path, o->path);
	for (size_t i = 0; i < o->n_arguments; i++) {
		const struct operation_argument *a = &o->arguments[i];

		if (!a->positional) {
			add_option(path, a, &options->given[i]);
			continue;
		}
		for (int n = 0; next < call->n_arguments && (n == 0 || a->repeated); n++)
			argument_add(path, a->name, call->arguments[next++]);
	}
	if (next < call->n_arguments)
		return error_set_usage(e, "%s takes no argument '%s'; see: wiregauge %s --help",
				       o->command, call->arguments[next], o->command);
	return buf_ok(path) ? 0 : error_set(e, -ENOMEM, "no memory");
}

/* As the daemon will: what is wrong is told without one, too. */
static int check(const struct operation *o, const char *path, struct error *e)
{
	struct operation_call c = {.operation = o};
	const char *query = strchr(path, '?');
	int err = arguments_parse(query ? query + 1 : NULL, &c.arguments, e);

	if (!err)
		err = operation_read(&c, e);
	operation_release(&c);
	return err;
}

/* ---- showing ---- */

static void print_table(const json_t *answer)
{
	struct table_layout layout = {.width = terminal_size().columns};
	_cleanup_buf_ struct buf out = {0};

	if (json_array_size(json_object_get(answer, "rows")) == 0) {
		fprintf(stderr, "%s\n", answer_text(answer, "empty"));
		return;
	}
	table_view_write(answer, &layout, &out);
	fwrite(buf_str(&out), 1, out.len, stdout);
}

static void add_value(struct buf *to, const json_t *value)
{
	char *text = json_is_string(value) || json_is_null(value)
			     ? NULL
			     : json_dumps(value,
					  JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6));

	if (json_is_string(value))
		grid_add_visible(to, json_string_value(value));
	else
		buf_add_str(to, text ? text : "-");
	free(text);
}

/* Objects in objects by "outer.inner". */
static void add_fields(struct columns *c, const char *prefix, const json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
	{
		_cleanup_buf_ struct buf name = {0}, text = {0};

		buf_printf(&name, "%s%s%s", prefix, *prefix ? "." : "", key);
		if (json_is_object(value)) {
			add_fields(c, buf_str(&name), value);
			continue;
		}
		add_value(&text, value);
		columns_add(c, buf_str(&name), buf_str(&text));
	}
}

static void print_fields(const json_t *answer)
{
	struct columns c = {.n = 2};

	add_fields(&c, "", answer);
	columns_print(&c);
}

static const struct operation_view *find_view(const struct operation *o)
{
	const struct operation_view *const *v = __start_wiregauge_views;

	for (; v < __stop_wiregauge_views; v++) {
		if (STREQ((*v)->operation, o->path))
			return *v;
	}
	return NULL;
}

static void print_answer(const struct operation *o, const json_t *answer)
{
	const struct operation_view *view = find_view(o);

	if (view)
		view->print(answer);
	else if (json_object_get(answer, "done"))
		puts(answer_text(answer, "done"));
	else if (json_object_get(answer, "rows"))
		print_table(answer);
	else
		print_fields(answer);
	fputs(answer_text(answer, "details"), stderr);
}

static void print_json(const json_t *answer)
{
	json_dumpf(answer, stdout, JSON_INDENT(2));
	putchar('\n');
}

static enum exit_code run(const struct command_call *call)
{
	const struct operation_command *m =
		CONTAINER_OF(call->command, struct operation_command, command);
	const struct operation *o = m->operation;
	const struct operation_options *options = call->options;
	_cleanup_buf_ struct buf path = {0}, details = {0};
	json_auto_t *answer = NULL;
	struct error error;
	int err = make_path(call, o, &path, &error);

	if (!err)
		err = check(o, buf_str(&path), &error);
	if (!err)
		err = (o->changes ? control_do(options->control_socket, buf_str(&path), &answer,
					       &details, &error)
				  : control_ask(options->control_socket, buf_str(&path), &answer,
						&error));
	if (err) {
		fputs(buf_str(&details), stderr);
		return command_fail(&error);
	}
	if (options->json)
		print_json(answer);
	else
		print_answer(o, answer);
	return EXIT_DONE;
}

/* ---- making ---- */

static enum cli_type type_of(const struct operation_argument *a)
{
	if (a->repeated)
		return CLI_TEXTS;
	return a->type == ARGUMENT_FLAG ? CLI_FLAG : CLI_STRING;
}

static void add_argument_option(struct operation_command *m, size_t index)
{
	const struct operation_argument *a = &m->operation->arguments[index];

	m->options[m->command.n_options++] = (struct cli_option){
		.name = a->name,
		.argument = a->type == ARGUMENT_FLAG ? NULL : a->placeholder,
		.fallback = a->fallback,
		.choices = a->choices,
		.type = type_of(a),
		.offset = offsetof(struct operation_options, given) + index * sizeof(union given),
		.help = a->help,
	};
}

/* "NETWORK… [TIME]", or NULL. */
static const char *make_usage(const struct operation *o)
{
	struct buf usage = {0};

	for (size_t i = 0; i < o->n_arguments; i++) {
		const struct operation_argument *a = &o->arguments[i];

		if (!a->positional)
			continue;
		buf_printf(&usage, "%s%s%s%s%s", usage.len ? " " : "", a->required ? "" : "[",
			   a->placeholder, a->repeated ? "…" : "", a->required ? "" : "]");
	}
	return usage.len ? buf_str(&usage) : NULL;
}

static const char *first_choices(const struct operation *o)
{
	for (size_t i = 0; i < o->n_arguments; i++) {
		if (o->arguments[i].positional)
			return o->arguments[i].choices;
	}
	return NULL;
}

static void make(struct operation_command *m, const struct operation *o)
{
	static const struct cli_option common[COMMON_OPTIONS] = {
		CLI_OPTION_JSON(struct operation_options, json),
		CLI_OPTION_SOCKET(struct operation_options, control_socket),
	};

	m->operation = o;
	m->command = (struct command){
		.name = o->command,
		.arguments = make_usage(o),
		.choices = first_choices(o),
		.summary = o->summary,
		.text = o->text,
		.examples = o->examples,
		.options = m->options,
		.size = sizeof(struct operation_options),
		.order = o->order || !o->module ? o->order : module_command_order(o->module),
		.run = run,
	};
	for (size_t i = 0; i < o->n_arguments; i++) {
		if (!o->arguments[i].positional)
			add_argument_option(m, i);
	}
	for (size_t i = 0; i < COMMON_OPTIONS; i++)
		m->options[m->command.n_options++] = common[i];
}

/* One that is written out, as it does more than ask and show. */
static const struct command *find_written(const char *name)
{
	const struct command *c;

	for (size_t i = 0; (c = command_written_at(i)); i++) {
		if (STREQ(c->name, name))
			return c;
	}
	return NULL;
}

struct operation_commands {
	struct operation_command items[OPERATIONS_MAX];
	size_t count;
};

static const struct operation_commands *get_all(void)
{
	static struct operation_commands *all;
	const struct operation *o;

	if (all)
		return all;
	all = calloc(1, sizeof(*all));
	for (size_t i = 0; all && (o = operation_at(i)); i++) {
		if (o->command && !find_written(o->command) && all->count < OPERATIONS_MAX)
			make(&all->items[all->count++], o);
	}
	return all;
}

const struct command *operation_command_at(size_t index)
{
	const struct operation_commands *all = get_all();

	return all && index < all->count ? &all->items[index].command : NULL;
}

size_t operation_command_count(void)
{
	const struct operation_commands *all = get_all();

	return all ? all->count : 0;
}

const struct command *operation_command(const struct operation *o)
{
	const struct command *c;

	for (size_t i = 0; o->command && (c = operation_command_at(i)); i++) {
		if (STREQ(c->name, o->command))
			return c;
	}
	return o->command ? find_written(o->command) : NULL;
}
