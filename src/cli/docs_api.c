// SPDX-License-Identifier: MIT
/* The reference of the HTTP API, told from the rows of operations. */
#include <stdio.h>
#include <string.h>

#include "cli/markdown.h"
#include "cli/operations.h"

static void print_takes(const struct operation_argument *a)
{
	_cleanup_buf_ struct buf takes = {0};

	operation_describe_type(a, &takes);
	markdown_cell(buf_str(&takes));
	if (a->required)
		fputs("; required", stdout);
	if (a->fallback)
		printf("; `%s` unless said", a->fallback);
	if (a->repeated)
		fputs("; any number of them", stdout);
}

static void print_arguments(const struct operation *o)
{
	if (o->n_arguments)
		puts("\n| argument | value | what |\n|---|---|---|");
	for (size_t i = 0; i < o->n_arguments; i++) {
		const struct operation_argument *a = &o->arguments[i];

		printf("| `%s` | ", a->name);
		print_takes(a);
		fputs(" | ", stdout);
		markdown_cell(a->help);
		puts(" |");
	}
	if (o->others)
		printf("\nOther arguments are %s.\n", o->others);
}

static void print_command(const struct operation *o)
{
	const struct command *c = operation_command(o);

	if (c)
		printf("\nCommand: `wiregauge %s%s%s`\n", c->name, c->arguments ? " " : "",
		       c->arguments ? c->arguments : "");
}

static void print_answer(const struct operation *o)
{
	if (o->changes)
		puts("\nAnswers `{\"done\": sentence}`.");
	else
		printf("\nAnswers %s.\n", o->answer ? o->answer : "a table");
}

static void print_operation(const struct operation *o)
{
	printf("\n### %s %s\n\n%s.", o->changes ? "POST" : "GET", o->path, o->summary);
	if (o->text)
		printf(" %s", o->text);
	putchar('\n');
	print_command(o);
	print_arguments(o);
	print_answer(o);
	if (operation_on_web(o))
		puts("\nAlso at the listener of the metrics, with `--web.api`.");
}

/* The first path behind @last, or of all with NULL: the linker has them in no order that stays. */
static const struct operation *operation_after(const struct operation *last)
{
	const struct operation *first = NULL, *o;

	for (size_t i = 0; (o = operation_at(i)); i++) {
		if ((!last || strcmp(o->path, last->path) > 0) &&
		    (!first || strcmp(o->path, first->path) < 0))
			first = o;
	}
	return first;
}

static void print_failures(void)
{
	struct failure_doc f;

	puts("\n### Codes of errors\n\n| code | status | what |\n|---|---|---|");
	for (size_t i = 0; operation_failure_describe(i, &f); i++)
		printf("| `%s` | %u | %s |\n", f.code, f.status, f.meaning);
}

static enum exit_code run_docs_api(const struct command_call *call)
{
	const struct operation *o = NULL;

	(void)call;
	while ((o = operation_after(o)))
		print_operation(o);
	print_failures();
	return EXIT_DONE;
}

COMMAND(docs_api, .name = "docs api", .order = 915, .size = 1, .run = run_docs_api,
	.summary = "Print the reference of the HTTP API, in Markdown");
