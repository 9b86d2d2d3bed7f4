// SPDX-License-Identifier: MIT
/* Kernel parameters: what should be otherwise for the modules, and how to change it and back. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/command.h"
#include "cli/tune_state.h"
#include "engine/profile.h"

struct tune_options {
	const char *config;
	struct cli_list modules;
	bool apply;
	bool revert;
	bool force;
	const char *write;
	const char *state;
	bool json;
};

#define AT(member) .offset = offsetof(struct tune_options, member)

static const struct cli_option tune_option_rows[] = {
	{"config", "FILE", NULL, NULL, CLI_STRING, AT(config),
	 "The daemon file: which modules run"},
	{"module", "NAMES", NULL, CHOICES_MODULES, CLI_LIST, AT(modules), "For just these modules"},
	{"apply", NULL, NULL, NULL, CLI_FLAG, AT(apply),
	 "Set what differs, once what was there is kept"},
	{"revert", NULL, NULL, NULL, CLI_FLAG, AT(revert), "Set what was there before --apply"},
	{"force", NULL, NULL, NULL, CLI_FLAG, AT(force),
	 "With --revert: also what somebody else has set since"},
	{"write", "FILE", NULL, NULL, CLI_STRING, AT(write),
	 "Write a file for sysctl.d, for after the next boot; - for standard output"},
	{"state", "FILE", "/var/lib/wiregauge/tune.json", NULL, CLI_STRING, AT(state),
	 "Where it is kept what was there before"},
	CLI_OPTION_JSON(struct tune_options, json),
};

/* What became of a parameter. */
enum outcome { FINE, DIFFERS, MISSING, APPLIED, REVERTED, FOREIGN, FAILED };

static const char *const outcomes[] = {
	[FINE] = "ok",         [DIFFERS] = "differs",   [MISSING] = "missing",
	[APPLIED] = "applied", [REVERTED] = "reverted", [FOREIGN] = "foreign",
	[FAILED] = "failed",
};

struct result {
	enum outcome outcome;
	int error; /* FAILED */
};

struct tune {
	const struct tune_options *options;
	struct profile profile;
	struct result *results; /* one for each row */
	struct tune_state state;
};

/* ---- what it says ---- */

static void add_modules(const struct profile_row *row, struct buf *to)
{
	for (size_t i = 0; i < row->modules.count; i++)
		buf_printf(to, "%s%s", i ? ", " : "", row->modules.items[i]);
	if (row->modules.count == 0)
		buf_add_str(to, "all modules");
}

static void print_row(struct profile_row *row, const struct result *r)
{
	_cleanup_buf_ struct buf modules = {0};

	add_modules(row, &modules);
	printf("%s = %s   %s %s, for %s", row->name, buf_str(&row->current),
	       row->rule == SYSCTL_EXACTLY ? "should be" : sysctl_rule_words(row->rule),
	       row->wanted, buf_str(&modules));
	if (r->outcome == APPLIED)
		printf("; set to %s", buf_str(&row->correct));
	if (r->outcome == FAILED)
		printf("; CANNOT BE SET: %s", error_words(r->error));
	printf("\n    %s\n    [%s]\n", row->why, row->source);
}

/* "As it should be: a, b" */
static void print_names(const struct tune *t, enum outcome outcome, const char *title)
{
	size_t n = 0;

	for (size_t i = 0; i < t->profile.count; i++) {
		if (t->results[i].outcome == outcome)
			printf("%s%s", n++ ? ", " : title, t->profile.rows[i].name);
	}
	if (n)
		putchar('\n');
}

static void print_table(struct tune *t)
{
	printf("Network namespace %" PRIu64
	       ", this one; what begins with net. is about it alone\n\n",
	       tune_netns());
	for (size_t i = 0; i < t->profile.count; i++) {
		enum outcome outcome = t->results[i].outcome;

		if (outcome != FINE && outcome != MISSING)
			print_row(&t->profile.rows[i], &t->results[i]);
	}
	print_names(t, FINE, "As it should be: ");
	print_names(t, MISSING, "Not on this kernel, or not in this namespace: ");
}

static json_t *row_to_json(struct profile_row *row, const struct result *r)
{
	json_t *modules = json_array(), *object;

	for (size_t i = 0; i < row->modules.count; i++)
		json_array_append_new(modules, json_string(row->modules.items[i]));
	object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "name", row->name, "rule",
			   sysctl_rule_words(row->rule), "wanted", row->wanted, "state",
			   outcomes[r->outcome], "why", row->why, "source", row->source, "modules",
			   modules);
	if (!row->error) {
		json_object_set_new(object, "current", json_string(buf_str(&row->current)));
		json_object_set_new(object, "correct", json_string(buf_str(&row->correct)));
	}
	if (r->error)
		json_object_set_new(object, "error", json_string(error_words(r->error)));
	return object;
}

static void print_json(json_t *rows)
{
	json_auto_t *root =
		json_pack("{s:I, s:o}", "netns", (json_int_t)tune_netns(), "rows", rows);

	json_dumpf(root, stdout, JSON_INDENT(2));
	putchar('\n');
}

static void print_all(struct tune *t)
{
	json_t *rows;

	if (!t->options->json) {
		print_table(t);
		return;
	}
	rows = json_array();
	for (size_t i = 0; i < t->profile.count; i++)
		json_array_append_new(rows, row_to_json(&t->profile.rows[i], &t->results[i]));
	print_json(rows);
}

/* ---- --apply ---- */

/* All that is going to change is in the file before the first of it does. */
static int keep_what_is_there(struct tune *t, struct error *e)
{
	int err = 0;

	for (size_t i = 0; !err && i < t->profile.count; i++) {
		struct profile_row *row = &t->profile.rows[i];

		if (t->results[i].outcome == DIFFERS)
			err = tune_state_add(&t->state, row->name, buf_str(&row->current),
					     buf_str(&row->correct));
	}
	return err ? error_set(e, err, "no memory")
		   : tune_state_save(t->options->state, &t->state, e);
}

/* What could not be set was not changed: there is nothing to take back, unless there was before. */
static void forget_failed(struct tune *t, const struct profile_row *row)
{
	struct tune_change *c = tune_state_find(&t->state, row->name);

	if (c && sysctl_is_same(c->before, buf_str((struct buf *)&row->current)))
		tune_state_remove(&t->state, c);
}

static int apply(struct tune *t, struct error *e)
{
	bool any = false, failed = false;
	int err;

	for (size_t i = 0; i < t->profile.count; i++)
		any |= t->results[i].outcome == DIFFERS;
	if (!any)
		return 0;
	err = keep_what_is_there(t, e);
	for (size_t i = 0; !err && i < t->profile.count; i++) {
		struct profile_row *row = &t->profile.rows[i];
		struct result *r = &t->results[i];

		if (r->outcome != DIFFERS)
			continue;
		r->error = sysctl_write(row->name, buf_str(&row->correct));
		r->outcome = r->error ? FAILED : APPLIED;
		failed |= r->error != 0;
		if (r->error)
			forget_failed(t, row);
	}
	if (!err && failed)
		err = tune_state_save(t->options->state, &t->state, e);
	if (!err && failed)
		err = error_set(e, -EIO, "not all could be set");
	return err;
}

/* ---- --revert ---- */

/* A reboot took back what was set; somebody else's value stays unless it is forced. */
static struct result revert_one(const struct tune_change *c, bool force)
{
	_cleanup_buf_ struct buf now = {0};
	int err = sysctl_read(c->name, &now);

	if (err)
		return (struct result){err == -ENOENT ? MISSING : FAILED, err};
	if (sysctl_is_same(buf_str(&now), c->before))
		return (struct result){FINE, 0};
	if (!force && !sysctl_is_same(buf_str(&now), c->after))
		return (struct result){FOREIGN, 0};
	err = sysctl_write(c->name, c->before);
	return (struct result){err ? FAILED : REVERTED, err};
}

static json_t *tell_reverted(const struct tune *t, const struct tune_change *c, struct result r)
{
	static const char *const words[] = {
		[FINE] = "is as it was before",
		[MISSING] = "is not on this kernel any more",
		[REVERTED] = "is again as it was before",
		[FAILED] = "CANNOT BE SET",
		[FOREIGN] = "was set by somebody else since, and is left; --force sets it",
	};

	if (!t->options->json)
		printf("%s %s: %s%s%s\n", c->name, words[r.outcome], c->before, r.error ? ": " : "",
		       r.error ? error_words(r.error) : "");
	return json_pack("{s:s, s:s, s:s, s:s}", "name", c->name, "before", c->before, "after",
			 c->after, "state", outcomes[r.outcome]);
}

static int check_namespace(const struct tune *t, struct error *e)
{
	if (t->state.netns == tune_netns() || t->options->force)
		return 0;
	error_set_usage(e,
			"what '%s' has was changed in network namespace %" PRIu64
			", and this is %" PRIu64,
			t->options->state, t->state.netns, tune_netns());
	return error_hint(e, "enter that one, or give --force");
}

static int revert(struct tune *t, struct error *e)
{
	json_t *rows = json_array();
	bool all = true;
	int err = check_namespace(t, e);

	for (size_t i = 0; !err && i < t->state.count;) {
		struct tune_change *c = &t->state.items[i];
		struct result r = revert_one(c, t->options->force);

		json_array_append_new(rows, tell_reverted(t, c, r));
		if (r.outcome == FOREIGN || r.outcome == FAILED) {
			all = false;
			i++;
		} else {
			tune_state_remove(&t->state, c);
		}
	}
	if (!err && t->options->json)
		print_json(json_incref(rows));
	else if (!err && json_array_size(rows) == 0)
		puts("There is nothing to take back.");
	json_decref(rows);
	if (!err)
		err = tune_state_save(t->options->state, &t->state, e);
	return !err && !all ? error_set(e, -EIO, "not all is as it was before") : err;
}

/* ---- --write ---- */

static void write_rows(struct tune *t, FILE *to)
{
	fprintf(to, "# Written by: wiregauge tune --write\n");
	for (size_t i = 0; i < t->profile.count; i++) {
		struct profile_row *row = &t->profile.rows[i];

		if (!row->error)
			fprintf(to, "\n# %s.\n# %s\n%s = %s\n", row->why, row->source, row->name,
				buf_str(&row->correct));
	}
}

static int write_file(struct tune *t, struct error *e)
{
	const char *path = t->options->write;
	FILE *file;

	if (STREQ(path, "-")) {
		write_rows(t, stdout);
		return 0;
	}
	file = fopen(path, "we");
	if (!file)
		return error_set(e, -errno, "cannot write '%s': %s", path, error_words(-errno));
	write_rows(t, file);
	errno = 0;
	if (ferror(file) | fclose(file))
		return error_set(e, errno ? -errno : -EIO, "cannot write '%s': %s", path,
				 error_words(errno ? -errno : -EIO));
	return 0;
}

/* ---- the command ---- */

static int build(struct tune *t, struct error *e)
{
	const struct plan_options plan = {
		.config_file = t->options->config,
		.modules_given = t->options->modules.given,
		.modules = t->options->modules.values,
	};
	int err = profile_build(&plan, &t->profile, e);

	if (err)
		return err;
	t->results = calloc(t->profile.count, sizeof(*t->results));
	if (!t->results)
		return error_set(e, -ENOMEM, "no memory");
	for (size_t i = 0; i < t->profile.count; i++) {
		const struct profile_row *row = &t->profile.rows[i];

		t->results[i].outcome = row->differs ? DIFFERS : FINE;
		if (row->error)
			t->results[i] = (struct result){row->error == -ENOENT ? MISSING : FAILED,
							row->error};
	}
	return 0;
}

static int show_or_apply(struct tune *t, struct error *e)
{
	int err = build(t, e);

	if (err)
		return err;
	if (t->options->write)
		return write_file(t, e);
	if (t->options->apply)
		err = check_namespace(t, e);
	if (!err && t->options->apply)
		err = apply(t, e);
	print_all(t);
	return err;
}

static int run(struct tune *t, struct error *e)
{
	const struct tune_options *o = t->options;
	int err;

	if (o->apply + o->revert + (o->write != NULL) > 1)
		return error_set_usage(e, "--apply, --revert and --write are one at a time");
	err = o->apply || o->revert ? tune_state_load(o->state, &t->state, e) : 0;
	if (err)
		return err;
	return o->revert ? revert(t, e) : show_or_apply(t, e);
}

static enum exit_code run_tune(const struct command_call *call)
{
	struct tune t = {.options = call->options};
	struct error error;
	int err = run(&t, &error);

	profile_free(&t.profile);
	tune_state_free(&t.state);
	free(t.results);
	return err ? command_fail(&error) : EXIT_DONE;
}

COMMAND(tune, .name = "tune", .order = 420,
	.summary = "Kernel parameters that do the modules good: show, set, take back",
	.text = "Shows which kernel parameters (sysctl) should be otherwise for the modules that "
		"run by default, or for those that are named, each with its reason and where it is "
		"documented. --apply sets them, once what was there before is kept in a file, and "
		"--revert sets that again. What is about the network is set in the network "
		"namespace that the command runs in.",
	.examples = "  wiregauge tune\n"
		    "  wiregauge tune --apply --module tcp,guard\n"
		    "  wiregauge tune --write /etc/sysctl.d/60-wiregauge.conf",
	.options = tune_option_rows, .n_options = ARRAY_SIZE(tune_option_rows),
	.size = sizeof(struct tune_options), .run = run_tune);
