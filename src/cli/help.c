// SPDX-License-Identifier: MIT
/* --help, the man page and the shell completion: three views of the same tables. */
#include <stdio.h>
#include <string.h>

#include "cli/columns.h"
#include "cli/command.h"
#include "cli/modules.h"
#include "config/config.h"
#include "control/operation.h"
#include "engine/builtin.h"

DEFINE_CLEANUP(struct config *, config_free)

#define ABOUT "measures this host's network from inside the kernel, for Prometheus and for people"

static const struct {
	enum exit_code code;
	const char *meaning;
} exit_codes[] = {
	{EXIT_DONE, "done"},
	{EXIT_FAILED, "failed"},
	{EXIT_USAGE, "wrong usage or configuration"},
	{EXIT_HOST_LACKS, "the kernel or the host lacks something"},
	{EXIT_DENIED, "no permission"},
};

/* ---- --help ---- */

enum { HELP_INDENT = 34 };

static void print_option(const struct cli_option *o)
{
	bool has_fallback = o->fallback && *o->fallback;
	char left[64], right[512];

	if (o->type == CLI_OPTIONAL)
		snprintf(left, sizeof(left), "  --%s[=%s]", o->name, o->argument);
	else
		snprintf(left, sizeof(left), "  --%s%s%s", o->name, o->argument ? " " : "",
			 o->argument ? o->argument : "");
	snprintf(right, sizeof(right), "%s%s%s%s", o->help, has_fallback ? " [" : "",
		 has_fallback ? o->fallback : "", has_fallback ? "]" : "");
	print_padded(left, HELP_INDENT);
	if (strlen(left) >= HELP_INDENT)
		printf("\n%*s", HELP_INDENT, "");
	print_wrapped(right, HELP_INDENT);
}

static void help_one(const struct command *c)
{
	printf("usage: wiregauge %s%s%s%s\n\n%s.\n", c->name, c->n_options ? " [options]" : "",
	       c->arguments ? " " : "", c->arguments ? c->arguments : "", c->summary);
	if (c->text) {
		putchar('\n');
		print_wrapped(c->text, 0);
	}
	if (c->n_options)
		puts("\nOptions:");
	for (size_t i = 0; i < c->n_options; i++)
		print_option(&c->options[i]);
	if (c->examples)
		printf("\nExamples:\n%s\n", c->examples);
}

static void help_all(void)
{
	const struct command *c;

	puts("usage: wiregauge COMMAND [options]\n\nwiregauge " ABOUT ".\n\nCommands:");
	for (size_t i = 0; (c = command_at(i)); i++) {
		char left[64];

		snprintf(left, sizeof(left), "%s%s%s", c->name, c->arguments ? " " : "",
			 c->arguments ? c->arguments : "");
		fputs("  ", stdout);
		print_padded(left, 26);
		print_wrapped(c->summary, 28);
	}
	puts("\nMore: wiregauge COMMAND --help. A line that begins with an option is one for "
	     "`run`.");
	printf("Exit codes:");
	for (size_t i = 0; i < ARRAY_SIZE(exit_codes); i++)
		printf("%s %d %s", i ? ";" : "", exit_codes[i].code, exit_codes[i].meaning);
	puts(".");
}

void command_help(const struct command *c)
{
	if (c)
		help_one(c);
	else
		help_all();
}

/* ---- man: man-pages(7), groff_man(7) ---- */

/* Text in roff: a leading dot or quote, backslashes and dashes mean something there. */
static void roff(const char *text)
{
	bool start = true;

	for (; *text; text++) {
		if (start && (*text == '.' || *text == '\''))
			fputs("\\&", stdout);
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
		start = *text == '\n';
	}
}

static void man_option(const struct cli_option *o)
{
	fputs(".TP\n\\fB\\-\\-", stdout);
	roff(o->name);
	fputs("\\fR", stdout);
	if (o->argument) {
		bool optional = o->type == CLI_OPTIONAL;

		fputs(optional ? "[=\\fI" : " \\fI", stdout);
		roff(o->argument);
		fputs(optional ? "\\fR]" : "\\fR", stdout);
	}
	putchar('\n');
	roff(o->help);
	puts(".");
	if (o->fallback && *o->fallback) {
		fputs("The default is ", stdout);
		roff(o->fallback);
		puts(".");
	}
}

static void man_command(const struct command *c)
{
	fputs(".SS wiregauge ", stdout);
	roff(c->name);
	if (c->arguments)
		printf(" %s", c->arguments);
	putchar('\n');
	roff(c->summary);
	puts(".");
	if (c->text) {
		puts(".PP");
		roff(c->text);
		putchar('\n');
	}
	for (size_t i = 0; i < c->n_options; i++)
		man_option(&c->options[i]);
	if (c->examples) {
		puts(".PP\nExamples:\n.PP\n.nf");
		roff(c->examples);
		puts("\n.fi");
	}
}

static void print_man(void)
{
	const struct command *c;

	puts(".TH WIREGAUGE 8 \"\" \"wiregauge " WIREGAUGE_VERSION "\" \"System administration\"\n"
	     ".SH NAME\nwiregauge \\- " ABOUT "\n"
	     ".SH SYNOPSIS\n\\fBwiregauge\\fR \\fICOMMAND\\fR [\\fIoptions\\fR]\n"
	     ".SH DESCRIPTION\n"
	     "wiregauge is a daemon and a command line tool. It attaches small programs to the "
	     "kernel's network\n"
	     "stack, which count in place, and serves what they count to Prometheus. Its modules "
	     "and users' own\n"
	     "configs, in the language of ebpf_exporter and beyond, take the same path.\n"
	     ".SH COMMANDS");
	for (size_t i = 0; (c = command_at(i)); i++)
		man_command(c);
	puts(".SH FILES\n.TP\n" CONTROL_SOCKET_DEFAULT
	     "\nWhere the daemon answers the other commands.\n"
	     ".SH EXIT STATUS");
	for (size_t i = 0; i < ARRAY_SIZE(exit_codes); i++)
		printf(".TP\n%d\n%s.\n", exit_codes[i].code, exit_codes[i].meaning);
	puts(".SH SIGNALS\n.TP\nSIGHUP\n`run' reads its configuration again; a broken one is "
	     "refused whole.\n"
	     ".TP\nSIGTERM, SIGINT\nThe daemon detaches everything and ends.\n"
	     ".SH SEE ALSO\n.BR bpf (2),\n.BR tc\\-bpf (8),\n.BR bpftool (8)");
}

/* ---- bash completion ---- */

/* The words that may follow the first word @group of two-word commands. */
static void complete_group(const char *group)
{
	size_t len = strlen(group);
	const struct command *c;

	printf("\t%s) words=\"", group);
	for (size_t i = 0; (c = command_at(i)); i++) {
		if (strncmp(c->name, group, len) == 0 && c->name[len] == ' ')
			printf("%s ", c->name + len + 1);
	}
	puts("\" ;;");
}

/* Calls @fn for each first word of the commands, once. */
static void each_first_word(void (*fn)(const char *word, bool is_group))
{
	const struct command *c;
	char last[64] = "";

	for (size_t i = 0; (c = command_at(i)); i++) {
		char word[64];
		const char *blank = strchr(c->name, ' ');

		snprintf(word, sizeof(word), "%.*s",
			 (int)(blank ? blank - c->name : (long)strlen(c->name)), c->name);
		if (!STREQ(word, last))
			fn(word, blank != NULL);
		memcpy(last, word, sizeof(last));
	}
}

static void print_word(const char *word, bool is_group)
{
	(void)is_group;
	printf("%s ", word);
}

static void print_group_case(const char *word, bool is_group)
{
	if (is_group)
		complete_group(word);
}

static void print_module_options(const struct builtin_module *b)
{
	_cleanup_(config_free_p) struct config *c = modules_parse(b);

	for (size_t i = 0; c && i < c->options.count; i++)
		printf("%s.%s= ", b->name, c->options.items[i].name.text);
}

/* The words that @choices stands for, each followed by a blank. */
static void print_choices(const char *choices)
{
	bool modules = STREQ(choices, CHOICES_MODULES), options = STREQ(choices, CHOICES_OPTIONS);
	const struct builtin_module *b;

	if (!modules && !options && !STREQ(choices, CHOICES_BUILTIN)) {
		printf("%s ", choices);
		return;
	}
	for (size_t i = 0; (b = builtin_at(i)); i++) {
		if (options)
			print_module_options(b);
		else if (!modules || b->kind == BUILTIN_MODULE)
			printf("%s ", b->name);
	}
}

static bool argument_is_needed(const struct cli_option *o)
{
	return o->argument && o->type != CLI_OPTIONAL;
}

static void complete_options(const struct command *c)
{
	printf("\t\"%s\"*) words=\"--help ", c->name);
	if (c->choices)
		print_choices(c->choices);
	for (size_t i = 0; i < c->n_options; i++)
		printf("--%s%s ", c->options[i].name,
		       argument_is_needed(&c->options[i]) ? "=" : "");
	puts("\" ;;");
}

/* What may follow an option: one of its words, else the name of a file. */
static void complete_values(const struct command *c)
{
	for (size_t i = 0; i < c->n_options; i++) {
		const struct cli_option *o = &c->options[i];

		if (o->choices) {
			printf("\t--%s) words=\"", o->name);
			print_choices(o->choices);
			puts("\" ;;");
		} else if (argument_is_needed(o)) {
			printf("\t--%s) COMPREPLY=(); return ;;\n", o->name);
		}
	}
}

static void print_completion(void)
{
	const struct command *c;

	printf("# bash completion for wiregauge; made by: wiregauge docs completion\n"
	       "_wiregauge()\n{\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words= "
	       "line\n"
	       "\tline=\"${COMP_WORDS[*]:1:COMP_CWORD-1}\"\n"
	       "\tif [ \"$prev\" = = ]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
	       "\tif [ \"$cur\" = = ]; then cur=; fi\n"
	       "\tcase $prev in\n");
	for (size_t i = 0; (c = command_at(i)); i++)
		complete_values(c);
	printf("\tesac\n"
	       "\t[ -n \"$words\" ] || case $line in\n"
	       "\t'') words=\"--help --version ");
	each_first_word(print_word);
	puts("\" ;;");
	each_first_word(print_group_case);
	for (size_t i = 0; (c = command_at(i)); i++)
		complete_options(c);
	puts("\tesac\n"
	     "\tcase $words in\n"
	     "\t'') COMPREPLY=() ;;\n"
	     "\t*) COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	     "\t   [[ ${COMPREPLY[0]} != *= ]] || compopt -o nospace ;;\n"
	     "\tesac\n}\n"
	     "complete -o bashdefault -o default -F _wiregauge wiregauge");
}

static enum exit_code run_docs_man(const struct command_call *call)
{
	(void)call;
	print_man();
	return EXIT_DONE;
}

COMMAND(docs_man, .name = "docs man", .summary = "Print the manual page", .size = 1, .order = 900,
	.examples = "  wiregauge docs man | man -l -", .run = run_docs_man);

static enum exit_code run_docs_completion(const struct command_call *call)
{
	(void)call;
	print_completion();
	return EXIT_DONE;
}

COMMAND(docs_completion, .name = "docs completion", .summary = "Print the completion for bash",
	.size = 1, .order = 910, .examples = "  source <(wiregauge docs completion)",
	.run = run_docs_completion);
