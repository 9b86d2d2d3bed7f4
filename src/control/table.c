// SPDX-License-Identifier: MIT
/* A table of a module, for people. */
#include "control/filters.h"
#include "control/operation.h"
#include "engine/sheets.h"

static int run_table(struct operation_call *c, struct error *e)
{
	struct sheet_filter filters[ARGUMENTS_MAX];
	struct sheet_question q = {
		.by = operation_text_of(c, "by"),
		.sort = operation_text_of(c, "sort"),
		.limit = (uint32_t)operation_number_of(c, "limit", 0),
		.session = operation_number_of(c, "session", 0),
		.end = operation_flag_of(c, "end"),
		.filters = filters,
		.n_filters = filters_take(c, filters),
	};

	return sheets_answer(c->agent, operation_text_of(c, "module"),
			     operation_text_of(c, "table"), &q, &c->text, e);
}

static const struct operation_argument arguments[] = {
	{"module", "MODULE", "The name of a module or config", .required = true},
	{"table", "TABLE", "One of its tables; the main one unless said"},
	{"by", "GROUP", "Add up the rows of a group, or of columns apart by commas"},
	{"sort", "COLUMN", "Largest first"},
	{"limit", "N", "So many rows, what is left added up as other; 0 for all",
	 .type = ARGUMENT_NUMBER, .max = UINT32_MAX},
	{"session", "ID",
	 "A number that the client chooses: what is counted comes as rates since "
	 "the last time that it was given",
	 .type = ARGUMENT_NUMBER},
	{"end", NULL, "Forget the session", .type = ARGUMENT_FLAG},
};

OPERATION(table, .path = "/v1/table", .command = "table", .arguments = arguments,
	  .n_arguments = ARRAY_SIZE(arguments), .summary = "Show a table of a module",
	  .others = FILTERS_TAKE, .run = run_table);
