// SPDX-License-Identifier: MIT
/* What this host can do, found out by doing it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/check_view.h"
#include "cli/command.h"
#include "engine/demand.h"
#include "engine/tryout.h"
#include "host/ability.h"
#include "host/interfaces.h"
#include "kernel/kernel_btf.h"
#include "kernel/object.h"

struct check_options {
	const char *config;
	struct cli_list modules;
	struct cli_list settings;
	const char *config_dir;
	struct cli_list config_names;
	const char *btf_path;
	bool all;
	bool json;
};

#define AT(member) .offset = offsetof(struct check_options, member)

static const struct cli_option check_option_rows[] = {
	{"module", "NAMES", NULL, CHOICES_MODULES, CLI_LIST, AT(modules),
	 "Only what these built-in modules need"},
	{"config", "FILE", NULL, NULL, CLI_STRING, AT(config),
	 "The daemon file: what is to run, with which options"},
	{"option", "MODULE.NAME=VALUE", NULL, CHOICES_OPTIONS, CLI_TEXTS, AT(settings),
	 "Set an option of a module, as for run"},
	{"config.dir", "DIR", NULL, NULL, CLI_STRING, AT(config_dir),
	 "Check your own configs out of this folder, too"},
	{"config.names", "NAMES", NULL, NULL, CLI_LIST, AT(config_names),
	 "Only these of them, separated by commas"},
	{"btf.path", "FILE", NULL, NULL, CLI_STRING, AT(btf_path),
	 "BTF of the kernel, where /sys/kernel/btf/vmlinux is missing"},
	{"all", NULL, NULL, NULL, CLI_FLAG, AT(all),
	 "A line for each thing that is well, too, instead of one for those that are alike"},
	CLI_OPTION_JSON(struct check_options, json),
};

struct check {
	const struct check_options *options;
	struct plans plans; /* what is to run */
	struct plans off;   /* what could be switched on */
	struct demand demand;
	struct hostnames *host;
	struct scratch scratch;
	struct error scratch_error;
	bool has_scratch;
	struct check_result result;
};

/* ---- what is to be checked ---- */

static int build(const struct check_options *o, struct plans *ret, struct error *e)
{
	const struct plan_options options = {
		.config_file = o->config,
		.config_dir = o->config_dir,
		.config_names = o->config_names.values,
		.modules_given = o->modules.given,
		.modules = o->modules.values,
		.settings = o->settings.values,
	};
	int err = plans_build(&options, ret, e);

	if (!err && ret->report.errors)
		err = error_set_usage(e, "%s", buf_str(&ret->report.text));
	return err;
}

/* Modules that are off unless somebody says otherwise: they are told of, and not needed. */
static int build_off(const struct check_options *o, const struct strv *off, struct plans *ret,
		     struct error *e)
{
	const struct plan_options options = {.modules_given = true, .modules = *off};

	return o->modules.given || off->count == 0 ? 0 : plans_build(&options, ret, e);
}

static int add_demands(struct demand *d, const struct plans *plans)
{
	int err = 0;

	for (size_t i = 0; !err && i < plans->count; i++)
		err = demand_add(d, plans->items[i]);
	return err;
}

static int prepare(struct check *c, struct error *e)
{
	int err = build(c->options, &c->plans, e);

	if (!err)
		err = build_off(c->options, &c->plans.off, &c->off, e);
	if (err)
		return err;
	c->demand.everything = !c->options->modules.given;
	err = add_demands(&c->demand, &c->plans);
	if (!err)
		err = add_demands(&c->demand, &c->off);
	if (!err)
		err = hostnames_new(c->options->btf_path, &c->host);
	return err ? error_set(e, err, "no memory") : 0;
}

/* ---- checking ---- */

static void look_at_interfaces(struct check *c)
{
	_cleanup_strv_ struct strv xdp = {0}, tc = {0};
	struct interfaces_wanted wanted = {.xdp_programs = &c->demand.xdp_programs};

	if (demand_find_sections(&c->demand, "xdp", &xdp))
		wanted.xdp_users = &xdp;
	if (demand_find_sections(&c->demand, "tc classifier", &tc))
		wanted.tc_users = &tc;
	if (wanted.xdp_users || wanted.tc_users || c->demand.everything)
		interfaces_look(&wanted, &c->result.findings);
}

static void try_abilities(struct check *c)
{
	struct ability_env env = {.btf = c->host->btf, .error = &c->scratch_error};

	/* What is of this network namespace comes first: there is no way back. */
	look_at_interfaces(c);
	abilities_try(&env, false, demand_wants, &c->demand, &c->result.findings);
	for (size_t i = 0; i < c->demand.n_helpers; i++)
		helper_try(&env, &c->demand.helpers[i], &c->result.findings);
	c->has_scratch = !scratch_enter(&c->scratch, &c->scratch_error);
	env.scratch = c->has_scratch ? &c->scratch : NULL;
	abilities_try(&env, true, demand_wants, &c->demand, &c->result.findings);
}

static int try_modules(struct check *c, struct error *e)
{
	const struct tryout_options options = {
		.btf_path = c->options->btf_path,
		.host = c->host,
		.scratch = c->has_scratch ? &c->scratch : NULL,
		.error = &c->scratch_error,
	};
	int err = tryout_run(&options, &c->plans, true, &c->result.findings, e);

	return err ? err : tryout_run(&options, &c->off, false, &c->result.findings, e);
}

static int run(struct check *c, struct error *e)
{
	int err = prepare(c, e);

	if (err)
		return err;
	kernel_btf_hold(c->host->btf);
	try_abilities(c);
	err = try_modules(c, e);
	kernel_btf_release(c->host->btf);
	if (!err && c->result.findings.failed)
		err = error_set(e, -ENOMEM, "no memory for all that was found");
	return err;
}

static void release(struct check *c)
{
	findings_free(&c->result.findings);
	demand_free(&c->demand);
	plans_free(&c->plans);
	plans_free(&c->off);
	if (c->host)
		hostnames_free(c->host);
}

static void show(struct check *c)
{
	findings_sort(&c->result.findings);
	check_conclude(&c->result);
	if (c->options->json)
		check_print_json(&c->result);
	else
		check_print(&c->result, c->options->all);
}

static enum exit_code run_check(const struct command_call *call)
{
	struct check c = {.options = call->options};
	enum exit_code code;
	struct error error;

	/* What a daemon would warn of is told in lines of their own. */
	log_setup((struct log_settings){.level = LOG_LEVEL_ERROR});
	object_log_setup();
	if (run(&c, &error)) {
		code = command_fail(&error);
	} else {
		show(&c);
		code = c.result.exit;
	}
	release(&c);
	return code;
}

COMMAND(check, .name = "check", .summary = "What this host can do, and what it lacks", .order = 150,
	.text = "Each kind of program, map and helper is tried for a moment, then each module as "
		"the daemon would run it. What is for interfaces is tried at a pair of its own in "
		"a network namespace of its own; interfaces of the host are only looked at. "
		"Nothing is left behind. ok: it works; degraded: it works, and the line says what "
		"is lost; missing: it does not; not tried: whoever asks may not try it. The exit "
		"code is 0 when all runs that is to run, 3 when the host lacks something for that, "
		"4 when not all could be tried.",
	.examples = "  wiregauge check --module tcp\n  wiregauge check --json",
	.options = check_option_rows, .n_options = ARRAY_SIZE(check_option_rows),
	.size = sizeof(struct check_options), .run = run_check);
