// SPDX-License-Identifier: MIT
/* What is declared against what runs: what a reload would change, or put back. */
#include "engine/difference.h"

#include "control/operation.h"

static const struct operation_column columns[] = {
	{"module"},
	{"what"},
	{"declared", .importance = 2},
	{"running", .importance = 2},
};

static json_t *text_or_null(const char *text)
{
	return text ? operation_text(text) : json_null();
}

static void add_row(void *ctx, const struct difference *d)
{
	operation_table_add(ctx,
			    json_pack("{s:o, s:o, s:o, s:o}", "module", operation_text(d->module),
				      "what", operation_text(d->what), "declared",
				      text_or_null(d->declared), "running",
				      text_or_null(d->running)));
}

static int run_diff(struct operation_call *c, struct error *e)
{
	c->answer = operation_table("What is declared against what runs",
				    "what runs is what is declared", columns, ARRAY_SIZE(columns));
	return agent_diff(c->agent, add_row, c->answer, e);
}

OPERATION(config_diff, .path = "/v1/config/diff", .command = "config diff", .order = 405,
	  .in_loop = true, .local = true, .summary = "Show where what is declared is not what runs",
	  .text = "Reads the configuration as `config reload` would, and changes nothing. Modules "
		  "and "
		  "their options are compared, and what a module has been told while running.",
	  .examples = "  wiregauge config diff", .run = run_diff);
