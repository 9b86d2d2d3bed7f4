// SPDX-License-Identifier: MIT
#include "cli/module_commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/modules.h"
#include "control/arguments.h"
#include "engine/builtin.h"

DEFINE_CLEANUP(struct config *, config_free)

enum { MODULE_COMMANDS_MAX = 48, ORDER_FIRST = 210 };

static char *copy(const struct text *t)
{
	return t->text ? strdup(t->text) : NULL;
}

void module_command_init(struct module_command *m, const struct config *c, const struct text *name,
			 const struct text *help, const struct text *text)
{
	bool main = STREQ(name->text, c->name);
	char *words = NULL;

	m->module = strdup(c->name);
	m->name = copy(name);
	if (asprintf(&words, "%s%s%s", c->name, main ? "" : " ", main ? "" : name->text) < 0)
		words = NULL;
	m->command = (struct command){
		.name = words,
		.summary = copy(help),
		.text = copy(text),
		.options = m->options,
	};
}

struct cli_option *module_command_add(struct module_command *m, const struct cli_option *row,
				      bool (*has_filter)(const void *ctx, enum column_filter),
				      const void *ctx)
{
	static const enum column_filter filters[] = {FILTER_ADDRESS, FILTER_PORT, FILTER_PROCESS,
						     FILTER_INTERFACE};
	struct cli_option *to = &m->options[m->command.n_options];

	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		if (STREQ(row->name, column_filter_name(filters[i])) &&
		    !has_filter(ctx, filters[i]))
			return NULL;
	}
	*to = *row;
	m->command.n_options++;
	return to;
}

/* ---- all of them ---- */

struct module_commands {
	struct module_command items[MODULE_COMMANDS_MAX];
	size_t count;
};

/* NULL when there is no room for another. */
static struct module_command *next_command(struct module_commands *all)
{
	return all->count < MODULE_COMMANDS_MAX ? &all->items[all->count] : NULL;
}

static void add_module(struct module_commands *to, const struct builtin_module *b, unsigned order)
{
	_cleanup_(config_free_p) struct config *c = modules_parse(b);
	size_t first = to->count;
	struct module_command *m;

	for (size_t i = 0; c && i < c->tables.count && (m = next_command(to)); i++) {
		table_command_make(m, c, &c->tables.items[i]);
		to->count++;
	}
	for (size_t i = 0; c && i < c->records.count && (m = next_command(to)); i++) {
		records_command_make(m, c, &c->records.items[i]);
		to->count++;
	}
	for (size_t i = first; i < to->count; i++)
		to->items[i].command.order = order;
}

unsigned module_command_order(const char *name)
{
	const struct builtin_module *b;
	unsigned i = 0;

	while ((b = builtin_at(i)) && !STREQ(b->name, name))
		i++;
	return ORDER_FIRST + i;
}

const struct command *module_command_at(size_t index)
{
	static struct module_commands *all;
	const struct builtin_module *b;

	if (!all) {
		all = calloc(1, sizeof(*all));
		for (unsigned i = 0; all && (b = builtin_at(i)); i++)
			add_module(all, b, ORDER_FIRST + i);
	}
	return all && index < all->count ? &all->items[index].command : NULL;
}

/* ---- filters ---- */

bool module_filters_given(const struct module_filters *f)
{
	return f->addresses.given || f->ports.given || f->processes.given || f->interfaces.given ||
	       f->where.given;
}

static int add_list(struct buf *path, enum column_filter filter, const struct cli_list *list,
		    struct error *e)
{
	const char *name = column_filter_name(filter);

	if (list->given && !list->values.count)
		return error_set_usage(e, "--%s takes at least one, not ''", name);
	for (size_t i = 0; i < list->values.count; i++)
		argument_add(path, name, list->values.items[i]);
	return 0;
}

/* "column=text" */
static int add_where(struct buf *path, const char *text, struct error *e)
{
	const char *equals = strchr(text, '=');
	_cleanup_buf_ struct buf name = {0};

	if (!equals)
		return error_set_usage(e, "--where takes COLUMN=TEXT, not '%s'", text);
	buf_add_str(&name, "where.");
	buf_add(&name, text, (size_t)(equals - text));
	argument_add(path, buf_str(&name), equals + 1);
	return 0;
}

int module_filters_add(const struct module_filters *f, struct buf *path, struct error *e)
{
	int err = 0;

	if ((err = add_list(path, FILTER_ADDRESS, &f->addresses, e)) ||
	    (err = add_list(path, FILTER_PORT, &f->ports, e)) ||
	    (err = add_list(path, FILTER_PROCESS, &f->processes, e)) ||
	    (err = add_list(path, FILTER_INTERFACE, &f->interfaces, e)))
		return err;
	for (size_t i = 0; i < f->where.values.count && !err; i++)
		err = add_where(path, f->where.values.items[i], e);
	return err;
}
