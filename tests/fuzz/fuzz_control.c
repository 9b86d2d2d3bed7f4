// SPDX-License-Identifier: MIT
/* What somebody asks of the daemon: a line PATH?QUERY, below it the body. */
#include "fuzz.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "control/operation.h"
#include "engine/agent.h"

static int run_probe(struct operation_call *c, struct error *e)
{
	(void)e;
	operation_done(c, "%s", operation_text_of(c, "text") ?: "nothing");
	return 0;
}

static const struct operation_argument rows[] = {
	{"network", "NETWORK", "which", .type = ARGUMENT_NETWORK, .required = true,
	 .positional = true, .repeated = true},
	{"text", "TEXT", "t"},
	{"count", "N", "n", .type = ARGUMENT_NUMBER, .max = 10},
	{"rate", "RATE", "r", .type = ARGUMENT_RATE, .repeated = true},
	{"for", "TIME", "d", .type = ARGUMENT_DURATION, .fallback = "10m"},
	{"ports", "PORT", "p", .type = ARGUMENT_PORTS},
	{"mode", "MODE", "m", .type = ARGUMENT_CHOICE, .choices = "monitor enforce"},
	{"force", NULL, "f", .type = ARGUMENT_FLAG},
};

OPERATION(probe, .path = "/v1/probe", .command = "probe it", .summary = "All types of arguments",
	  .arguments = rows, .n_arguments = ARRAY_SIZE(rows), .run = run_probe);

/* A daemon that runs nothing. */
static struct agent agent = {
	.sheets_lock = PTHREAD_MUTEX_INITIALIZER,
	.scrape_lock = PTHREAD_MUTEX_INITIALIZER,
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

/* ---- what was read ---- */

static void check_rate(const struct rate *rate)
{
	char text[UNITS_TEXT_MAX];
	struct rate again;

	assert(rate_parse(rate_text(rate, text), &again));
	assert(again.of == rate->of && again.per_second == rate->per_second);
}

static void check_timespan(uint64_t ns)
{
	char text[UNITS_TEXT_MAX];
	uint64_t again;

	assert(timespan_parse(timespan_text(ns, text), &again) && again == ns);
}

static void check_ports(const struct ports *ports)
{
	char text[UNITS_TEXT_MAX];
	struct ports again;

	assert(ports->first && ports->first <= ports->last);
	assert(ports_parse(ports_text(ports, text), &again));
	assert(again.first == ports->first && again.last == ports->last &&
	       again.protocol == ports->protocol);
}

static void check_value(const struct operation_value *v)
{
	const struct operation_argument *a = v->argument;

	if (a->type == ARGUMENT_NUMBER)
		assert(!a->max || v->number <= a->max);
	else if (a->type == ARGUMENT_NETWORK)
		assert((v->network.size == 4 || v->network.size == 16) &&
		       v->network.bits <= 8 * v->network.size);
	else if (a->type == ARGUMENT_RATE)
		check_rate(&v->rate);
	else if (a->type == ARGUMENT_DURATION)
		check_timespan(v->ns);
	else if (a->type == ARGUMENT_PORTS)
		check_ports(&v->ports);
	else if (a->type == ARGUMENT_CHOICE)
		assert(*v->text && strstr(a->choices, v->text));
}

/* What is required is there, and only what may be is there twice. */
static void check_values(const struct operation_call *c)
{
	assert(c->n_values <= ARGUMENTS_MAX);
	for (size_t i = 0; i < c->n_values; i++)
		check_value(&c->values[i]);
	for (size_t i = 0; i < c->operation->n_arguments; i++) {
		const struct operation_argument *a = &c->operation->arguments[i];
		const struct operation_value *first = operation_value(c, a->name);

		assert(first || (!a->required && !a->fallback));
		assert(!first || a->repeated || !operation_next(c, a->name, first));
	}
}

/* As the command line would ask for the same. */
static void check_said_again(const struct arguments *a)
{
	_cleanup_buf_ struct buf path = {0};
	struct arguments again;
	struct error error;

	buf_add_char(&path, '/');
	for (size_t i = 0; i < a->count; i++)
		argument_add(&path, a->items[i].name, a->items[i].value);
	assert(!arguments_parse(a->count ? strchr(buf_str(&path), '?') + 1 : NULL, &again, &error));
	assert(again.count == a->count);
	for (size_t i = 0; i < a->count; i++)
		assert(STREQ(again.items[i].name, a->items[i].name) &&
		       STREQ(again.items[i].value, a->items[i].value));
	arguments_free(&again);
}

/* ---- what is answered ---- */

static void check_json(json_t *json)
{
	char *text;

	assert(json);
	text = json_dumps(json, JSON_COMPACT);
	assert(text);
	free(text);
}

static void check_answer(struct operation_call *c)
{
	json_error_t wrong;
	json_t *json;

	if (!c->text.len) {
		check_json(c->answer);
		return;
	}
	json = json_loadb(c->text.data, c->text.len, 0, &wrong);
	assert(json);
	json_decref(json);
}

static void check_failure(const struct error *e)
{
	unsigned status;
	json_t *json = operation_failure(e, e->text, &status);

	assert(status >= 400 && e->code && e->exit != EXIT_DONE && e->text[0]);
	check_json(json);
	json_decref(json);
}

static void ask(struct operation_call *c, const char *query, const char *body, size_t len)
{
	struct error e;
	int err = arguments_parse_request(query, body, len, &c->arguments, &e);

	if (!err)
		check_said_again(&c->arguments);
	if (!err)
		err = operation_read(c, &e);
	if (!err)
		check_values(c);
	/* What changes something would do so to whoever runs this. */
	if (!err && !c->operation->changes)
		err = operation_run(c, &e);
	if (err)
		check_failure(&e);
	else if (!c->operation->changes)
		check_answer(c);
}

/* A path that there is not is as good as any. */
static const struct operation *choose(const char *path)
{
	const struct operation *o = operation_find(path);

	return o ? o : &probe_operation;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *line = malloc(size + 1);
	struct operation_call *c = calloc(1, sizeof(*c));
	const char *body, *query;

	memcpy(line, data, size);
	line[size] = '\0';
	body = memchr(line, '\n', size);
	body = body ? body + 1 : line + size;
	line[strcspn(line, "\n")] = '\0';
	query = strchr(line, '?');
	line[strcspn(line, "?")] = '\0';
	c->operation = choose(line);
	c->agent = &agent;
	ask(c, query ? query + 1 : NULL, body, size - (size_t)(body - line));
	operation_release(c);
	free(c);
	return 0;
}
