// SPDX-License-Identifier: MIT
#include "control/operation.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "engine/part.h"

extern const struct operation *const __start_wiregauge_operations[];
extern const struct operation *const __stop_wiregauge_operations[];

const struct operation *operation_at(size_t index)
{
	size_t count = (size_t)(__stop_wiregauge_operations - __start_wiregauge_operations);

	return index < count ? __start_wiregauge_operations[index] : NULL;
}

const struct operation *operation_find(const char *path)
{
	const struct operation *o;

	for (size_t i = 0; (o = operation_at(i)); i++) {
		if (STREQ(o->path, path))
			return o;
	}
	return NULL;
}

bool operation_on_web(const struct operation *o)
{
	return !o->changes && !o->local;
}

bool operation_in_loop(const struct operation *o)
{
	return o->changes || o->module || o->in_loop;
}

static int find_part(struct operation_call *c, struct error *e)
{
	const char *module = c->operation->module;

	c->part = module ? part_state(c->agent, module) : NULL;
	if (!module || c->part)
		return 0;
	error_set(e, -ESRCH, "%s is not running", module);
	return error_hint(e,
			  "switch it on: wiregauge run --module %s, or under `modules:` in the "
			  "daemon file; why it does not start: wiregauge status",
			  module);
}

int operation_run(struct operation_call *c, struct error *e)
{
	int err = operation_read(c, e);

	if (!err)
		err = find_part(c, e);
	return err ? err : c->operation->run(c, e);
}

void operation_release(struct operation_call *c)
{
	json_decref(c->answer);
	buf_free(&c->text);
	buf_free(&c->details);
	arguments_free(&c->arguments);
}

json_t *operation_text(const char *text)
{
	_cleanup_buf_ struct buf valid = {0};

	utf8_add_valid(&valid, text, strlen(text));
	return json_string(buf_str(&valid));
}

void operation_done(struct operation_call *c, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	json_decref(c->answer);
	c->answer = json_pack("{s:o}", "done", operation_text(text ? text : "done"));
}

/* ---- tables ---- */

/* "last_seen" → "LAST SEEN" */
static json_t *make_header(const struct operation_column *c)
{
	_cleanup_buf_ struct buf text = {0};

	if (c->header)
		return operation_text(c->header);
	for (const char *at = c->name; *at; at++)
		buf_add_char(&text, *at == '_' ? ' ' : (char)toupper((unsigned char)*at));
	return json_string(buf_str(&text));
}

static json_t *describe_column(const struct operation_column *c)
{
	return json_pack("{s:s, s:o, s:s, s:s, s:i}", "name", c->name, "header", make_header(c),
			 "kind", c->kind ? c->kind : "text", "unit", c->unit ? c->unit : "none",
			 "importance", (int)c->importance);
}

json_t *operation_table(const char *help, const char *empty, const struct operation_column *columns,
			size_t n_columns)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n_columns; i++)
		json_array_append_new(list, describe_column(&columns[i]));
	return json_pack("{s:o, s:o, s:o, s:[]}", "help", operation_text(help), "empty",
			 operation_text(empty), "columns", list, "rows");
}

void operation_table_add(json_t *table, json_t *row)
{
	json_array_append_new(json_object_get(table, "rows"), row);
}
