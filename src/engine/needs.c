// SPDX-License-Identifier: MIT
#include "engine/needs.h"

#include <errno.h>
#include <libgen.h>
#include <string.h>

#include "engine/persistence.h"
#include "engine/placement.h"

int needs_add_folder(struct strv *to, const char *path)
{
	_cleanup_free_ char *copy = strdup(path);
	const char *folder = copy ? dirname(copy) : NULL;

	return folder ? strv_add(to, folder, strlen(folder)) : -ENOMEM;
}

static int add_option(const struct option_config *o, const struct strv *values,
		      struct landlock_paths *paths)
{
	struct strv *to = o->file == FILE_APPEND ? &paths->write : &paths->read;
	int err = 0;

	for (size_t i = 0; !err && o->file != FILE_NONE && i < values->count; i++) {
		if (*values->items[i])
			err = needs_add_folder(to, values->items[i]);
	}
	return err;
}

static int add_module(const struct module *m, struct landlock_paths *paths)
{
	int err = 0;

	for (size_t i = 0; !err && i < m->config->options.count; i++)
		err = add_option(&m->config->options.items[i], &m->values[i], paths);
	return err;
}

static int add_plan(const struct plan *p, struct landlock_paths *paths, struct needs *needs)
{
	int err = 0;

	needs->persistent |= plan_is_persistent(p);
	needs->leaves_netns |= plan_leaves_own_netns(p);
	for (size_t i = 0; !err && i < p->n_modules; i++)
		err = add_module(&p->modules[i], paths);
	return err;
}

int needs_collect(const struct plan_options *options, struct landlock_paths *paths,
		  struct needs *ret)
{
	struct plans plans = {0};
	struct error ignored;
	int err = 0;

	*ret = (struct needs){0};
	if (options->config_file)
		err = needs_add_folder(&paths->read, options->config_file);
	if (!err && options->config_dir)
		err = strv_add(&paths->read, options->config_dir, strlen(options->config_dir));
	if (err || plans_build(options, &plans, &ignored))
		return err;
	for (size_t i = 0; !err && i < plans.count; i++)
		err = add_plan(plans.items[i], paths, ret);
	plans_free(&plans);
	return err;
}
