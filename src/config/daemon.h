/* SPDX-License-Identifier: MIT */
/*
 * The daemon file (wiregauge.yaml): which modules run, with which options.
 *
 *	modules:
 *	  packets:
 *	    sizes: false
 *	  drops:
 *	    enabled: false
 *	  tc:
 *	    interfaces: ["eth*", "!eth9"]
 *
 *	aliases: true
 *
 *	web:
 *	  api: true
 *
 * The same settings come from the command line as --module and --option, which win.
 */
#pragma once

#include "config/config.h"

/* One MODULE.NAME=VALUE, wherever it was said. */
struct setting {
	char *module;
	char *name;
	struct strv values;
	struct place place; /* in the daemon file; line 0: from the command line */
};

struct daemon_config {
	struct source source;
	bool aliases; /* as --aliases */
	struct {
		bool api; /* as --web.api */
	} web;
	struct text_list modules; /* every name under `modules`, also where nothing follows it */
	struct {
		struct setting *items;
		size_t count;
	} settings;
};

/* Parse the daemon file @source, taken over in any case; errors into @r, as config_parse(). */
int daemon_config_parse(struct source source, struct report *r, struct daemon_config **ret);
int daemon_config_parse_file(const char *path, struct report *r, struct daemon_config **ret);
void daemon_config_free(struct daemon_config *d);

/* Whether the file at @path is meant to be one, not a module's or user's config: it has a key that
 * only a daemon file has. */
bool daemon_config_is_likely(const char *path);
