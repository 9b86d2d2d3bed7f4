// SPDX-License-Identifier: MIT
/* Records of a module as they come: whoever looks asks again and again for what is new. */
#include "engine/records.h"

#include "control/filters.h"
#include "control/operation.h"

static int run_records(struct operation_call *c, struct error *e)
{
	struct sheet_filter filters[ARGUMENTS_MAX];
	const struct arguments *a = &c->arguments;
	const char *module = arguments_find(a, "module");
	struct sheet_question q = {.end = arguments_find(a, "end"), .filters = filters};
	uint64_t after;

	if (!module)
		return error_set_usage(e, "of which module? ?module=NAME");
	if (arguments_find_number(a, "after", UINT64_MAX, &after, e))
		return e->code;
	q.n_filters = filters_take(a, filters);
	return records_answer(c->agent, module, arguments_find(a, "table"), after, &q, &c->text, e);
}

OPERATION(records, .name = "records", .path = "/v1/records",
	  .summary = "records of a module that came after a number: module, table, after, filters",
	  .run = run_records);
