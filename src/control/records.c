// SPDX-License-Identifier: MIT
/* Records of a module as they come: whoever looks asks again and again for what is new. */
#include "engine/records.h"

#include "control/filters.h"
#include "control/operation.h"

static int run_records(struct operation_call *c, struct error *e)
{
	struct sheet_filter filters[ARGUMENTS_MAX];
	struct sheet_question q = {
		.end = operation_flag_of(c, "end"),
		.filters = filters,
		.n_filters = filters_take(c, filters),
	};

	return records_answer(c->agent, operation_text_of(c, "module"),
			      operation_text_of(c, "table"), operation_number_of(c, "after", 0), &q,
			      &c->text, e);
}

static const struct operation_argument arguments[] = {
	{"module", "MODULE", "The name of a module or config", .required = true},
	{"table", "NAME", "One of its kinds of records; the first unless said"},
	{"after", "N", "Only what came after this: `next` of the answer before",
	 .type = ARGUMENT_NUMBER},
	{"end", NULL, "Nobody will come back", .type = ARGUMENT_FLAG},
};

OPERATION(records, .path = "/v1/records", .command = "records", .arguments = arguments,
	  .n_arguments = ARRAY_SIZE(arguments),
	  .summary = "Show records of a module that have come since the last time",
	  .others = FILTERS_TAKE,
	  .answer = "a table, one row for each record, with `next` for `after` of the next time, "
		    "and how many were `lost` or `skipped`",
	  .run = run_records);
