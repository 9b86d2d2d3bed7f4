// SPDX-License-Identifier: MIT
/* What an operation is asked with, checked against its row. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "control/operation.h"

/* ---- one value ---- */

static bool read_text(const struct operation_argument *a, struct operation_value *v)
{
	(void)a;
	(void)v;
	return true;
}

static bool read_number(const struct operation_argument *a, struct operation_value *v)
{
	char *end;

	if (*v->text < '0' || *v->text > '9')
		return false;
	errno = 0;
	v->number = strtoull(v->text, &end, 10);
	return !errno && !*end && v->number <= (a->max ? a->max : UINT64_MAX);
}

static bool read_network(const struct operation_argument *a, struct operation_value *v)
{
	(void)a;
	return network_parse(v->text, &v->network);
}

static bool read_rate(const struct operation_argument *a, struct operation_value *v)
{
	(void)a;
	return rate_parse(v->text, &v->rate);
}

static bool read_duration(const struct operation_argument *a, struct operation_value *v)
{
	(void)a;
	return timespan_parse(v->text, &v->ns);
}

static bool read_ports(const struct operation_argument *a, struct operation_value *v)
{
	(void)a;
	return ports_parse(v->text, &v->ports);
}

static bool read_choice(const struct operation_argument *a, struct operation_value *v)
{
	size_t len = strlen(v->text);

	for (const char *at = a->choices; *at; at += strspn(at, " ")) {
		size_t word = strcspn(at, " ");

		if (word == len && memcmp(at, v->text, len) == 0)
			return true;
		at += word;
	}
	return false;
}

static bool read_flag(const struct operation_argument *a, struct operation_value *v)
{
	(void)a;
	v->flag = STREQ(v->text, "1") || STREQ(v->text, "true");
	return v->flag || STREQ(v->text, "0") || STREQ(v->text, "false");
}

/* By enum argument_type. */
static const struct {
	bool (*read)(const struct operation_argument *a, struct operation_value *v);
	const char *takes;
} types[] = {
	[ARGUMENT_TEXT] = {read_text, "a text"},
	[ARGUMENT_NUMBER] = {read_number, NULL},
	[ARGUMENT_NETWORK] = {read_network, NETWORK_TAKES},
	[ARGUMENT_RATE] = {read_rate, RATE_TAKES},
	[ARGUMENT_DURATION] = {read_duration, TIMESPAN_TAKES},
	[ARGUMENT_PORTS] = {read_ports, PORTS_TAKES},
	[ARGUMENT_CHOICE] = {read_choice, NULL},
	[ARGUMENT_FLAG] = {read_flag, "1 or 0"},
};

void operation_describe_type(const struct operation_argument *a, struct buf *to)
{
	if (a->type == ARGUMENT_CHOICE)
		buf_printf(to, "one of: %s", a->choices);
	else if (a->type == ARGUMENT_NUMBER && a->max)
		buf_printf(to, "a whole number of at most %llu", (unsigned long long)a->max);
	else if (a->type == ARGUMENT_NUMBER)
		buf_add_str(to, "a whole number");
	else
		buf_add_str(to, types[a->type].takes);
}

static int refuse_value(const struct operation_argument *a, const char *text, struct error *e)
{
	_cleanup_buf_ struct buf takes = {0};

	operation_describe_type(a, &takes);
	return error_set_usage(e, "'%s' takes %s, not '%s'", a->name, buf_str(&takes), text);
}

static int add(struct operation_call *c, const struct operation_argument *a, const char *text,
	       struct error *e)
{
	struct operation_value *v = &c->values[c->n_values];

	if (c->n_values == ARRAY_SIZE(c->values))
		return error_set_usage(e, "more than %d arguments", ARGUMENTS_MAX);
	*v = (struct operation_value){.argument = a, .text = text};
	if (!types[a->type].read(a, v))
		return refuse_value(a, text, e);
	c->n_values++;
	return 0;
}

/* ---- all of them ---- */

static const struct operation_argument *find(const struct operation *o, const char *name)
{
	for (size_t i = 0; i < o->n_arguments; i++) {
		if (STREQ(o->arguments[i].name, name))
			return &o->arguments[i];
	}
	return NULL;
}

static int refuse_name(const struct operation *o, const char *name, struct error *e)
{
	const char *names[OPERATION_ARGUMENTS_MAX], *nearest;

	for (size_t i = 0; i < o->n_arguments; i++)
		names[i] = o->arguments[i].name;
	nearest = suggest_nearest(name, names, o->n_arguments);
	error_set_usage(e, "%s takes no '%s'", o->path, name);
	return nearest ? error_hint(e, "did you mean '%s'?", nearest) : e->code;
}

static int read_given(struct operation_call *c, const struct argument *given, struct error *e)
{
	const struct operation *o = c->operation;
	const struct operation_argument *a = find(o, given->name);

	if (!a)
		return o->others ? 0 : refuse_name(o, given->name, e);
	if (!a->repeated && operation_value(c, a->name))
		return error_set_usage(e, "'%s' is given twice", a->name);
	return add(c, a, given->value, e);
}

static int complete(struct operation_call *c, const struct operation_argument *a, struct error *e)
{
	if (operation_value(c, a->name))
		return 0;
	if (a->fallback)
		return add(c, a, a->fallback, e);
	if (!a->required)
		return 0;
	error_set_usage(e, "'%s' is missing: %s", a->name, a->help);
	return c->operation->command
		       ? error_hint(e, "see: wiregauge %s --help", c->operation->command)
		       : e->code;
}

int operation_read(struct operation_call *c, struct error *e)
{
	int err = 0;

	c->n_values = 0;
	for (size_t i = 0; i < c->arguments.count && !err; i++)
		err = read_given(c, &c->arguments.items[i], e);
	for (size_t i = 0; i < c->operation->n_arguments && !err; i++)
		err = complete(c, &c->operation->arguments[i], e);
	return err;
}

/* ---- for who runs ---- */

const struct operation_value *operation_next(const struct operation_call *c, const char *name,
					     const struct operation_value *last)
{
	const struct operation_value *v = last ? last + 1 : c->values;

	for (; v < c->values + c->n_values; v++) {
		if (STREQ(v->argument->name, name))
			return v;
	}
	return NULL;
}

const struct operation_value *operation_value(const struct operation_call *c, const char *name)
{
	return operation_next(c, name, NULL);
}

const char *operation_text_of(const struct operation_call *c, const char *name)
{
	const struct operation_value *v = operation_value(c, name);

	return v ? v->text : NULL;
}

uint64_t operation_number_of(const struct operation_call *c, const char *name, uint64_t fallback)
{
	const struct operation_value *v = operation_value(c, name);

	return v ? v->number : fallback;
}

bool operation_flag_of(const struct operation_call *c, const char *name)
{
	const struct operation_value *v = operation_value(c, name);

	return v && v->flag;
}
