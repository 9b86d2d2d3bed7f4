/* SPDX-License-Identifier: MIT */
/*
 * What is to run, worked out from the command line, the daemon file, the built-in modules and the
 * user's config folder, before anything touches the kernel.
 *
 *	module	a parsed config with the values of its options
 *	plan	one BPF object to load: a module with an object of its own, or a pipeline with the
 *		stage modules that are composed into it
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "config/daemon.h"

/* Of the metrics of modules and configs that give no `namespace`. */
#define PREFIX_BUILTIN "wiregauge"
#define PREFIX_USER    "ebpf_exporter"

/* An object file larger than this is a mistake, not a program. */
#define OBJECT_MAX (64U << 20)

struct builtin_module;

/* What a person asked for. Strings may be NULL where nothing was said. */
struct plan_options {
	const char *config_file;  /* the daemon file */
	const char *config_dir;   /* users' configs */
	struct strv config_names; /* empty: all of config_dir */
	bool modules_given;       /* run just `modules` of the built-in ones, not all */
	struct strv modules;
	struct strv settings; /* MODULE.NAME=VALUE */
	bool lenient;
	bool aliases; /* export what has an `alias`; so does the daemon file */
	bool web_api; /* --web.api; so does the daemon file */
};

struct module {
	struct config *config;
	const struct module *owner; /* of the object: of a stage its pipeline, else itself */
	bool builtin;
	struct strv *values; /* for each of config->options: what it is set to */
};

struct plan {
	char *name;
	bool builtin;
	bool aliases;
	const char *prefix; /* of the metrics of a module that has no `namespace` */
	const void *object; /* the BPF object, `object_len` bytes */
	size_t object_len;
	void *object_memory;    /* the same where it was read from a file; else NULL */
	struct module *modules; /* the owner of the object first, then the stages */
	size_t n_modules;
	uint64_t fingerprint[2]; /* of all that decides what it does: equal = nothing changed */
};

struct plans {
	struct plan **items;
	size_t count;
	struct strv off; /* built-in modules that are not to run */
	bool web_api;
	struct report report;   /* what is wrong with configs: those are not among the items */
	struct strv broken;     /* their names */
	struct strv complaints; /* for each of them the first thing that is wrong, with its place */
};

/*
 * Configs that are wrong are left out and told in ret->report; the rest stands. What fails as a
 * whole (an unknown module, an option that does not exist) gives an error instead.
 */
int plans_build(const struct plan_options *options, struct plans *ret, struct error *e);
void plans_free(struct plans *p);

/*
 * Whether the daemon file at @path fits the modules that are built in; what is wrong into @report.
 * 0, -EINVAL or -ENOMEM.
 */
int plans_check_daemon_file(const char *path, struct report *report);

void plan_free(struct plan *p);

/* The manifest of a built-in module as a config of the caller's; errors as config_parse(). */
int builtin_parse(const struct builtin_module *b, struct report *report, struct config **ret);

/* The values that module @m has for its option @name; of a stage also PIPELINE.NAME. */
const struct strv *module_option(const struct module *m, const char *name);

/* Whether its option @name is on, as `when:` asks: a bool is, or a list that is not the default. */
bool module_option_is_on(const struct module *m, const char *name);

/* The prefix of the metrics of module @m of @p. */
const char *plan_prefix(const struct plan *p, const struct module *m);

/* `text` as a truth value or number, as options of these types take them; -EINVAL for others. */
int option_parse_bool(const char *text, bool *ret);
int option_parse_uint(const char *text, uint64_t *ret);

/* "bool", "uint", "string", "network", "list" */
const char *option_type_name(enum option_type type);
