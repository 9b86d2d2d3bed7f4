// SPDX-License-Identifier: MIT
#include "cli/command.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/suggest.h"
#include "base/utf8.h"

extern const struct command *const __start_wiregauge_commands[];
extern const struct command *const __stop_wiregauge_commands[];

enum { COMMANDS_MAX = 128, OPTIONS_MAX = 64 };

static size_t written_count(void)
{
	return (size_t)(__stop_wiregauge_commands - __start_wiregauge_commands);
}

const struct command *command_written_at(size_t index)
{
	return index < written_count() ? __start_wiregauge_commands[index] : NULL;
}

/* All of them, in no order: those of modules come last. */
static const struct command *command_row(size_t index)
{
	size_t first = written_count(), of_modules = first + operation_command_count();

	if (index >= COMMANDS_MAX)
		return NULL;
	if (index < first)
		return __start_wiregauge_commands[index];
	return index < of_modules ? operation_command_at(index - first)
				  : module_command_at(index - of_modules);
}

/* In the order of the help; of two with one order the name decides, so that none is left out. */
static int compare(const struct command *a, const struct command *b)
{
	if (a->order != b->order)
		return a->order < b->order ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* The first command behind @last, or of all with NULL; NULL when there is none. */
static const struct command *command_after(const struct command *last)
{
	const struct command *first = NULL, *c;

	for (size_t i = 0; (c = command_row(i)); i++) {
		if ((!last || compare(c, last) > 0) && (!first || compare(c, first) < 0))
			first = c;
	}
	return first;
}

const struct command *command_at(size_t index)
{
	/* There are few, and this is for people: no sorted copy is kept. */
	const struct command *at = command_after(NULL);

	while (at && index--)
		at = command_after(at);
	return at;
}

enum exit_code command_fail(const struct error *e)
{
	/* A report of config errors ends in a newline of its own, and needs no name in front. */
	size_t len = strlen(e->text);

	if (len && e->text[len - 1] == '\n')
		fputs(e->text, stderr);
	else
		fprintf(stderr, "wiregauge: %s\n", e->text);
	if (e->hint[0])
		fprintf(stderr, "hint: %s\n", e->hint);
	return e->exit;
}

/* ---- finding the command ---- */

static const struct command *find_exact(const char *first, const char *second, int *used)
{
	char two[64];
	const struct command *found = NULL, *c;

	snprintf(two, sizeof(two), "%s %s", first, second ? second : "");
	for (size_t i = 0; (c = command_row(i)); i++) {
		/* To know those of modules takes reading their manifests. */
		if (i == written_count() + operation_command_count() && found)
			break;
		if (second && STREQ(c->name, two)) {
			*used = 2;
			return c;
		}
		if (STREQ(c->name, first)) {
			*used = 1;
			found = c;
		}
	}
	return found;
}

static void print_group_line(const struct command *c, FILE *to)
{
	char left[64];
	size_t length;

	snprintf(left, sizeof(left), "%s%s%s", c->name, c->arguments ? " " : "",
		 c->arguments ? c->arguments : "");
	length = utf8_length(left);
	fprintf(to, "  wiregauge %s%*s%s\n", left, length < 26 ? (int)(26 - length) : 1, "",
		c->summary);
}

/* The commands that begin with the word @first, for "config" alone. */
static bool print_group(const char *first, FILE *to)
{
	size_t len = strlen(first);
	const struct command *c;
	bool any = false;

	for (size_t i = 0; (c = command_at(i)); i++) {
		if (strncmp(c->name, first, len) == 0 && c->name[len] == ' ') {
			if (!any)
				fprintf(to, "usage:\n");
			print_group_line(c, to);
			any = true;
		}
	}
	return any;
}

static enum exit_code unknown_command(const char *first, const char *second)
{
	const char *names[COMMANDS_MAX];
	const struct command *c;
	const char *nearest;
	char words[64];
	size_t n = 0;

	if (print_group(first, stderr))
		return EXIT_USAGE;
	while ((c = command_row(n)))
		names[n++] = c->name;
	snprintf(words, sizeof(words), "%s%s%s", first, second ? " " : "", second ? second : "");
	nearest = suggest_nearest(words, names, n);
	if (!nearest)
		nearest = suggest_nearest(first, names, n);
	fprintf(stderr, "wiregauge: there is no command '%s'%s%s%s; see: wiregauge --help\n", first,
		nearest ? ", did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
	return EXIT_USAGE;
}

/* ---- its options ---- */

static int set_option(const struct cli_option *o, void *options, const char *value)
{
	void *to = (char *)options + o->offset;
	struct cli_list *list = to;

	switch (o->type) {
	case CLI_FLAG:
		*(bool *)to = true;
		return 0;
	case CLI_STRING:
		*(const char **)to = value;
		return 0;
	case CLI_OPTIONAL:
		*(const char **)to = value ? value : "";
		return 0;
	case CLI_LIST:
		list->given = true;
		return strv_add_split(&list->values, value, ',');
	case CLI_TEXTS:
		list->given = true;
		return strv_add(&list->values, value, strlen(value));
	case CLI_IGNORED:
		break;
	}
	return 0;
}

static void free_options(const struct command *c, void *options)
{
	for (size_t i = 0; i < c->n_options; i++) {
		struct cli_list *list = (void *)((char *)options + c->options[i].offset);

		if (c->options[i].type == CLI_LIST || c->options[i].type == CLI_TEXTS)
			strv_free(&list->values);
	}
	free(options);
}

static void set_fallbacks(const struct command *c, void *options)
{
	for (size_t i = 0; i < c->n_options; i++) {
		if (c->options[i].type == CLI_STRING)
			set_option(&c->options[i], options, c->options[i].fallback);
	}
}

static enum exit_code unknown_option(const struct command *c, const char *given)
{
	const char *names[OPTIONS_MAX];
	char name[64];
	const char *nearest;

	for (size_t i = 0; i < c->n_options; i++)
		names[i] = c->options[i].name;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(given, "="), given);
	nearest = suggest_nearest(name + strspn(name, "-"), names, c->n_options);
	fprintf(stderr, "wiregauge: %s has no option '%s'%s%s%s; see: wiregauge %s --help\n",
		c->name, name, nearest ? ", did you mean '--" : "", nearest ? nearest : "",
		nearest ? "'?" : "", c->name);
	return EXIT_USAGE;
}

static enum exit_code unwanted_value(const char *given)
{
	fprintf(stderr, "wiregauge: option '%.*s' takes no value\n", (int)strcspn(given, "="),
		given);
	return EXIT_USAGE;
}

/* Above any letter: getopt_long() then tells a known option with a value it does not take (optopt
 * is one of these) from an unknown one (0), also of one letter (that letter). */
enum { FOUND_HELP = 1000, FOUND_VERSION, FOUND_FIRST };

/* What getopt_long() answered with '?'; of a long option @given is the word. */
static enum exit_code refuse_option(const struct command *c, const char *given)
{
	const char letter[] = {'-', (char)optopt, '\0'};

	if (optopt >= FOUND_HELP)
		return unwanted_value(given);
	return unknown_option(c, optopt ? letter : given);
}

static int argument_kind(const struct cli_option *o)
{
	if (o->type == CLI_OPTIONAL)
		return optional_argument;
	return o->argument ? required_argument : no_argument;
}

static void fill_long_options(const struct command *c, struct option *to)
{
	size_t n = 0;

	for (; n < c->n_options; n++) {
		const struct cli_option *o = &c->options[n];

		to[n] = (struct option){o->name, argument_kind(o), NULL, FOUND_FIRST + (int)n};
	}
	to[n++] = (struct option){"help", no_argument, NULL, FOUND_HELP};
	to[n++] = (struct option){"version", no_argument, NULL, FOUND_VERSION};
	to[n] = (struct option){0};
}

/* Reads argv into @options: EXIT_DONE to go on; *ret_end when help or the version was printed. */
static enum exit_code parse(const struct command *c, int argc, char **argv, void *options,
			    bool *ret_end)
{
	struct option longs[OPTIONS_MAX + 3];
	int found;

	fill_long_options(c, longs);
	opterr = 0;
	optind = 0; /* GNU: start anew */
	while ((found = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
		*ret_end = found == FOUND_VERSION || found == FOUND_HELP || found == 'h';
		if (found == FOUND_VERSION)
			puts("wiregauge " WIREGAUGE_VERSION);
		else if (*ret_end)
			command_help(c);
		if (*ret_end)
			return EXIT_DONE;
		if (found == ':') {
			fprintf(stderr,
				"wiregauge: option '%s' needs a value; see: wiregauge %s --help\n",
				argv[optind - 1], c->name);
			return EXIT_USAGE;
		}
		if (found == '?')
			return refuse_option(c, argv[optind - 1]);
		if (set_option(&c->options[found - FOUND_FIRST], options, optarg))
			return EXIT_FAILED;
	}
	if (optind < argc && !c->arguments) {
		fprintf(stderr, "wiregauge: %s takes no argument '%s'; see: wiregauge %s --help\n",
			c->name, argv[optind], c->name);
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

static enum exit_code run_command(const struct command *c, int argc, char **argv)
{
	void *options = calloc(1, c->size);
	enum exit_code code;
	bool end = false;

	if (!options)
		return EXIT_FAILED;
	set_fallbacks(c, options);
	code = parse(c, argc, argv, options, &end);
	if (code == EXIT_DONE && !end) {
		struct command_call call = {c, options, argv + optind, argc - optind};

		code = c->run(&call);
	}
	free_options(c, options);
	return code;
}

enum exit_code command_main(int argc, char **argv)
{
	const char *first = argc > 1 ? argv[1] : "--help";
	const char *second = argc > 2 ? argv[2] : NULL;
	const struct command *c;
	int used = 0;

	if (STREQ(first, "--help") || STREQ(first, "-h") || STREQ(first, "help")) {
		c = second ? find_exact(second, argc > 3 ? argv[3] : NULL, &used) : NULL;
		if (second && !c)
			return print_group(second, stdout) ? EXIT_DONE
							   : unknown_command(second, NULL);
		command_help(c);
		return EXIT_DONE;
	}
	if (STREQ(first, "--version")) {
		puts("wiregauge " WIREGAUGE_VERSION);
		return EXIT_DONE;
	}
	c = first[0] == '-' ? find_exact("run", NULL, &used) : find_exact(first, second, &used);
	if (!c)
		return unknown_command(first, second);
	if (first[0] == '-')
		used = 0;
	return run_command(c, argc - used, argv + used);
}
