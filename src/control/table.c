// SPDX-License-Identifier: MIT
/* A table of a module, for people. */
#include "control/filters.h"
#include "control/operation.h"
#include "engine/sheets.h"

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
	q.n_filters = filters_take(a, filters);
	return sheets_answer(c->agent, module, arguments_find(a, "table"), &q, &c->text, e);
}

OPERATION(table, .name = "table", .path = "/v1/table",
	  .summary = "a table of a module: module, table, by, sort, limit, session, filters",
	  .run = run_table);
