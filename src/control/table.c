// SPDX-License-Identifier: MIT
/* A table of a module, for people. */
#include <string.h>

#include "control/operation.h"
#include "engine/sheets.h"

/* "where.port": a column by its name. */
#define BY_COLUMN "where."

/* Every argument that is none of these filters. */
static const char *const others[] = {"module", "table", "by", "sort", "limit", "session", "end"};

static bool is_filter(const struct argument *a)
{
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		if (STREQ(a->name, others[i]))
			return false;
	}
	return true;
}

static struct sheet_filter make_filter(const struct argument *a)
{
	size_t len = strlen(BY_COLUMN);
	bool column = strncmp(a->name, BY_COLUMN, len) == 0;

	return (struct sheet_filter){a->name + (column ? len : 0), column, a->value};
}

static int run_table(struct operation_call *c, struct error *e)
{
	struct sheet_filter filters[ARGUMENTS_MAX];
	const struct arguments *a = &c->arguments;
	const char *module = arguments_find(a, "module");
	struct sheet_question q = {
		.by = arguments_find(a, "by"),
		.sort = arguments_find(a, "sort"),
		.end = arguments_find(a, "end"),
		.filters = filters,
	};
	uint64_t limit;

	if (!module)
		return error_set_usage(e, "of which module? ?module=NAME");
	if (arguments_find_number(a, "limit", UINT32_MAX, &limit, e) ||
	    arguments_find_number(a, "session", UINT64_MAX, &q.session, e))
		return e->code;
	q.limit = (uint32_t)limit;
	for (size_t i = 0; i < a->count; i++) {
		if (is_filter(&a->items[i]))
			filters[q.n_filters++] = make_filter(&a->items[i]);
	}
	return sheets_answer(c->agent, module, arguments_find(a, "table"), &q, &c->text, e);
}

OPERATION(table, .name = "table", .path = "/v1/table",
	  .summary = "a table of a module: module, table, by, sort, limit, session, filters",
	  .run = run_table);
