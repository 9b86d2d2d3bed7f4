/* SPDX-License-Identifier: MIT */
/* Commands that come out of the manifests of built-in modules: wiregauge MODULE for the main table,
 * wiregauge MODULE NAME for the others and for records. */
#pragma once

#include "cli/command.h"
#include "config/config.h"

enum { MODULE_OPTIONS_MAX = 16 };

/* One such command, for the whole life of the process. */
struct module_command {
	struct command command; /* what is called knows its struct by this */
	struct cli_option options[MODULE_OPTIONS_MAX];
	char *module, *name;
	bool draw; /* a table whose histograms are drawn */
};

/* Where the commands of built-in module @name are in the help. */
unsigned module_command_order(const char *name);

/* Its name and texts; the caller fills in the rest. */
void module_command_init(struct module_command *m, const struct config *c, const struct text *name,
			 const struct text *help, const struct text *text);

/* Adds @row, unless it is a filter that has nothing to look at; NULL then. */
struct cli_option *module_command_add(struct module_command *m, const struct cli_option *row,
				      bool (*has_filter)(const void *ctx, enum column_filter),
				      const void *ctx);

/* table.c, records.c */
void table_command_make(struct module_command *m, const struct config *c,
			const struct table_config *t);
void records_command_make(struct module_command *m, const struct config *c,
			  const struct records_config *r);

/* The path of an operation about table or records @name of @module, and its filters: the options
 * that all these commands have. */
struct module_filters {
	struct cli_list addresses, ports, processes, interfaces;
	struct cli_list where;
};

#define MODULE_FILTER_OPTIONS(options, member)                                                     \
	{"address",                                                                                \
	 "ADDRESSES",                                                                              \
	 NULL,                                                                                     \
	 NULL,                                                                                     \
	 CLI_LIST,                                                                                 \
	 offsetof(options, member.addresses),                                                      \
	 "Only of these addresses or networks"},                                                   \
		{"port",                                                                           \
		 "PORTS",                                                                          \
		 NULL,                                                                             \
		 NULL,                                                                             \
		 CLI_LIST,                                                                         \
		 offsetof(options, member.ports),                                                  \
		 "Only of these ports, or from-to"},                                               \
		{"process",                                                                        \
		 "NAMES",                                                                          \
		 NULL,                                                                             \
		 NULL,                                                                             \
		 CLI_LIST,                                                                         \
		 offsetof(options, member.processes),                                              \
		 "Only of these processes; * stands for any"},                                     \
		{"interface",                                                                      \
		 "NAMES",                                                                          \
		 NULL,                                                                             \
		 NULL,                                                                             \
		 CLI_LIST,                                                                         \
		 offsetof(options, member.interfaces),                                             \
		 "Only of these interfaces; * stands for any"},                                    \
		{"where",                                                                          \
		 "COLUMN=TEXT",                                                                    \
		 NULL,                                                                             \
		 NULL,                                                                             \
		 CLI_TEXTS,                                                                        \
		 offsetof(options, member.where),                                                  \
		 "Only where a column is this; * stands for any"},

#define CLI_OPTION_COLUMNS(options, member)                                                        \
	{                                                                                          \
		.name = "columns", .argument = "NAMES", .type = CLI_LIST,                          \
		.offset = offsetof(options, member),                                               \
		.help = "Only these columns, in this order; in a terminal without it those that "  \
			"fit"                                                                      \
	}

bool module_filters_given(const struct module_filters *f);

/* Appends them to the path of an operation. */
int module_filters_add(const struct module_filters *f, struct buf *path, struct error *e);
