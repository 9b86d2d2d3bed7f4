/* SPDX-License-Identifier: MIT */
/*
 * Subcommands: one file each, ending in COMMAND(…). Its table of options makes the parser, --help,
 * the man page and the shell completion.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/strv.h"

enum cli_type {
	CLI_FLAG,     /* bool */
	CLI_OPTIONAL, /* const char *: NULL when not given, "" without =VALUE */
	CLI_STRING,   /* const char * into argv, or the fallback */
	CLI_LIST,     /* struct cli_list; may be repeated, values between commas */
	CLI_TEXTS,    /* struct cli_list; may be repeated, each value as it is */
	CLI_IGNORED,  /* accepted for others' command lines, does nothing */
};

/* Choices that are not known before the program runs: the names of modules, their options. */
#define CHOICES_BUILTIN "@builtin" /* pipelines, too */
#define CHOICES_MODULES "@modules"
#define CHOICES_OPTIONS "@options"

struct cli_list {
	struct strv values;
	bool given; /* also by an empty value */
};

struct cli_option {
	const char *name;     /* without the two dashes */
	const char *argument; /* placeholder in the help; NULL for flags */
	const char *fallback; /* shown in the help; CLI_STRING has it when it is not given */
	const char *choices;  /* completion: words separated by blanks, or CHOICES_…; NULL */
	enum cli_type type;
	size_t offset; /* into the command's struct */
	const char *help;
};

struct command_call {
	const struct command *command;
	const void *options; /* the command's struct */
	char **arguments;    /* what is left, n_arguments */
	int n_arguments;
};

struct command {
	const char *name;      /* one word or two: "config check" */
	const char *arguments; /* placeholder: "FILE…"; NULL when it takes none */
	const char *choices;   /* completion of the arguments, as for options; NULL */
	const char *summary;   /* one line, no full stop */
	const char *text;      /* a paragraph for --help and the man page; NULL */
	const char *examples;  /* lines for both; NULL */
	const struct cli_option *options;
	size_t n_options;
	size_t size;    /* of the struct that the options fill; at least 1 */
	unsigned order; /* place in the help, lower first */
	enum exit_code (*run)(const struct command_call *call);
};

#define COMMAND(ident, ...)                                                                        \
	static const struct command ident##_command = {__VA_ARGS__};                               \
	static const struct command *const ident##_command_row                                     \
		__attribute__((used, section("wiregauge_commands"))) = &ident##_command

/*
 * Commands that are made out of the manifests of built-in modules (module_commands.c), behind those
 * that are written here; made at the first call. Index from 0, NULL past the end.
 */
const struct command *module_command_at(size_t index);

/* Those that are written here, and those that are made out of the rows of operations
 * (operations.c), in no order. Index from 0; NULL past the end. */
const struct command *command_written_at(size_t index);
const struct command *operation_command_at(size_t index);
size_t operation_command_count(void);

/* In the order of the help; index from 0, NULL past the end. */
const struct command *command_at(size_t index);

/*
 * Runs what argv says. A command line that begins with an option (but --help or --version) is one
 * for `run`, as ebpf_exporter has it.
 */
enum exit_code command_main(int argc, char **argv);

/* "wiregauge: sentence" on stderr; gives back the exit code of @e. */
enum exit_code command_fail(const struct error *e);

/* Prints the help of @c, or of all with NULL. */
void command_help(const struct command *c);

/* Options that several commands have. */
#define CLI_OPTION_JSON(options, member)                                                           \
	{                                                                                          \
		.name = "json", .type = CLI_FLAG, .offset = offsetof(options, member),             \
		.help = "Print JSON instead of a table"                                            \
	}
#define CLI_OPTION_SOCKET(options, member)                                                         \
	{                                                                                          \
		.name = "control.socket", .argument = "PATH", .fallback = CONTROL_SOCKET_DEFAULT,  \
		.type = CLI_STRING, .offset = offsetof(options, member),                           \
		.help = "The control socket of the daemon"                                         \
	}
