// SPDX-License-Identifier: MIT
/* What is to run, worked out from the command line, a daemon file and a folder of configs. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/builtin.h"
#include "engine/plan.h"

/* Modules of this test alone, in the place of those that the product has. */
static const char stage_manifest[] =
	"description: a stage\n"
	"stage: {pipeline: pipe, order: 1}\n"
	"options:\n"
	"  - {name: flag, type: bool, default: true, help: h, rodata: f}\n"
	"  - {name: number, type: uint, default: 7, help: h, rodata: n}\n"
	"  - {name: names, type: list, default: [a, b], help: h}\n"
	"  - {name: ports, type: list, default: [53], help: h, rodata: p, max: 65535}\n"
	"  - {name: small, type: uint, default: 1, help: h, max: 65535}\n"
	"  - {name: from, type: network, default: '', help: h, rodata: a}\n"
	"  - {name: pace, type: string, choices: [slow, brisk, fast], default: slow, help: h}\n";
static const char pipe_manifest[] = "description: a pipeline\n"
				    "options:\n"
				    "  - {name: interfaces, type: list, default: ['*'], help: h}\n";

static const char quiet_manifest[] = "description: off by default\n"
				     "enabled: false\n"
				     "stage: {pipeline: other, order: 1}\n"
				     "options:\n"
				     "  - {name: strength, type: uint, default: 1, help: h}\n";

BUILTIN_MODULE_ROW(quiet) = {.name = "quiet",
			     .manifest = quiet_manifest,
			     .manifest_len = sizeof(quiet_manifest) - 1,
			     .kind = BUILTIN_MODULE};
BUILTIN_MODULE_ROW(other) = {.name = "other",
			     .manifest = pipe_manifest,
			     .manifest_len = sizeof(pipe_manifest) - 1,
			     .object = "obj",
			     .object_len = 3,
			     .kind = BUILTIN_PIPELINE};
BUILTIN_MODULE_ROW(one) = {.name = "one",
			   .manifest = stage_manifest,
			   .manifest_len = sizeof(stage_manifest) - 1,
			   .kind = BUILTIN_MODULE};
BUILTIN_MODULE_ROW(two) = {.name = "two",
			   .manifest = stage_manifest,
			   .manifest_len = sizeof(stage_manifest) - 1,
			   .kind = BUILTIN_MODULE};
BUILTIN_MODULE_ROW(pipe) = {.name = "pipe",
			    .manifest = pipe_manifest,
			    .manifest_len = sizeof(pipe_manifest) - 1,
			    .object = "obj",
			    .object_len = 3,
			    .kind = BUILTIN_PIPELINE};

static char folder[] = "/tmp/wiregauge-plan-XXXXXX";

static void write_file(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	write_file("good.yaml", "metrics:\n  counters:\n    - {name: m, help: h}\n");
	write_file("good.bpf.o", "object");
	write_file("quiet_one.yaml",
		   "enabled: false\nmetrics:\n  counters:\n    - {name: m, help: h}\n");
	write_file("quiet_one.bpf.o", "object");
	write_file("lonely.yaml", "metrics:\n  counters:\n    - {name: m, help: h}\n");
	write_file("bad.yaml", "metricks: 1\n");
	write_file("bad.bpf.o", "object");
	return 0;
}

static int tear_down(void **state)
{
	char command[300];

	(void)state;
	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	return system(command);
}

/* strv_add_split() into a list, for short tests. */
static struct strv list(const char *text)
{
	struct strv v = {0};

	assert_int_equal(strv_add_split(&v, text, '|'), 0);
	return v;
}

static const struct module *find(const struct plans *plans, const char *name)
{
	for (size_t i = 0; i < plans->count; i++) {
		for (size_t k = 0; k < plans->items[i]->n_modules; k++) {
			if (STREQ(plans->items[i]->modules[k].config->name, name))
				return &plans->items[i]->modules[k];
		}
	}
	return NULL;
}

static void test_stages_share_their_pipeline(void **state)
{
	struct plan_options options = {0};
	struct plans plans;
	struct error error;

	(void)state;
	assert_int_equal(plans_build(&options, &plans, &error), 0);
	assert_int_equal(plans.count, 1);
	assert_string_equal(plans.items[0]->name, "pipe");
	assert_int_equal(plans.items[0]->n_modules, 3);
	assert_string_equal(plans.items[0]->modules[0].config->name, "pipe");
	assert_string_equal(module_option(find(&plans, "one"), "number")->items[0], "7");
	assert_int_equal(module_option(find(&plans, "two"), "names")->count, 2);
	assert_string_equal(plan_prefix(plans.items[0], find(&plans, "one")), "wiregauge");
	plans_free(&plans);
}

static void test_only_the_modules_given(void **state)
{
	struct plan_options options = {.modules_given = true, .modules = list("two")};
	struct plans plans;
	struct error error;

	(void)state;
	assert_int_equal(plans_build(&options, &plans, &error), 0);
	assert_null(find(&plans, "one"));
	assert_non_null(find(&plans, "two"));
	plans_free(&plans);
	strv_free(&options.modules);
	assert_int_equal(plans_build(&options, &plans, &error), 0);
	assert_int_equal(plans.count, 0);
	plans_free(&plans);
}

static void test_options_are_set_and_decide_the_fingerprint(void **state)
{
	struct plan_options plain = {0};
	struct plan_options set = {
		.settings =
			list("one.flag=off|one.names=x,!y|pipe.interfaces=eth*|one.number=0x10")};
	struct plans before, after;
	struct error error;

	(void)state;
	assert_int_equal(plans_build(&plain, &before, &error), 0);
	assert_int_equal(plans_build(&set, &after, &error), 0);
	assert_string_equal(module_option(find(&after, "one"), "flag")->items[0], "off");
	assert_string_equal(module_option(find(&after, "one"), "names")->items[1], "!y");
	assert_string_equal(module_option(find(&after, "pipe"), "interfaces")->items[0], "eth*");
	assert_string_equal(module_option(find(&after, "two"), "flag")->items[0], "true");
	assert_memory_not_equal(before.items[0]->fingerprint, after.items[0]->fingerprint,
				sizeof(before.items[0]->fingerprint));
	plans_free(&after);
	assert_int_equal(plans_build(&plain, &after, &error), 0);
	assert_memory_equal(before.items[0]->fingerprint, after.items[0]->fingerprint,
			    sizeof(before.items[0]->fingerprint));
	plans_free(&before);
	plans_free(&after);
	strv_free(&set.settings);
}

static void test_the_command_line_wins_over_the_file(void **state)
{
	char path[256];
	struct plan_options options = {.config_file = path, .settings = list("one.number=9")};
	struct plans plans;
	struct error error;

	(void)state;
	snprintf(path, sizeof(path), "%s/daemon", folder);
	write_file("daemon",
		   "modules:\n  one: {number: 8, flag: false}\n  two: {enabled: false}\n");
	assert_int_equal(plans_build(&options, &plans, &error), 0);
	assert_string_equal(module_option(find(&plans, "one"), "number")->items[0], "9");
	assert_string_equal(module_option(find(&plans, "one"), "flag")->items[0], "false");
	assert_null(find(&plans, "two"));
	plans_free(&plans);
	strv_free(&options.settings);
}

static void test_enabled_in_the_file_is_checked(void **state)
{
	static const struct {
		const char *file, *says;
	} rows[] = {
		{"modules: {oen: {enabled: false}}\n", "did you mean 'one'?"},
		{"modules: {one: {enabled: perhaps}}\n", "'enabled' takes true or false"},
		{"modules: {pipe: {enabled: false}}\n", "'pipe' is a pipeline"},
	};
	char path[256];
	struct plan_options options = {.config_file = path};

	(void)state;
	snprintf(path, sizeof(path), "%s/daemon", folder);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct plans plans;
		struct error error;

		write_file("daemon", rows[i].file);
		assert_int_equal(plans_build(&options, &plans, &error), -EINVAL);
		if (!strstr(error.text, rows[i].says))
			fail_msg("'%s' says not '%s'", error.text, rows[i].says);
	}
}

/* Neither a module that is off by default nor a pipeline that nobody else is in. */
static void test_off_by_default(void **state)
{
	static const struct {
		const char *file, *modules;
		bool runs, warns;
	} rows[] = {
		{"aliases: false\n", NULL, false, false},
		{"aliases: false\n", "quiet", true, false},
		{"modules: {quiet: {enabled: true}}\n", NULL, true, false},
		{"modules: {quiet: {enabled: false}}\n", NULL, false, false},
		{"modules: {quiet: {enabled: true}}\n", "one", false, false},
		{"modules: {quiet: {strength: 2}}\n", NULL, false, true},
		{"modules: {quiet: {strength: 2}}\n", "one", false, false},
		{"modules: {quiet: {strength: 2, enabled: false}}\n", NULL, false, false},
	};
	char path[256];

	(void)state;
	snprintf(path, sizeof(path), "%s/daemon", folder);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct plan_options options = {.config_file = path,
					       .modules_given = rows[i].modules != NULL};
		struct plans plans;
		struct error error;

		write_file("daemon", rows[i].file);
		if (rows[i].modules)
			options.modules = list(rows[i].modules);
		assert_int_equal(plans_build(&options, &plans, &error), 0);
		assert_int_equal(find(&plans, "quiet") != NULL, rows[i].runs);
		assert_int_equal(find(&plans, "other") != NULL, rows[i].runs);
		assert_int_equal(strv_has(&plans.off, "quiet"), !rows[i].runs);
		assert_int_equal(strv_has(&plans.off, "one"), find(&plans, "one") == NULL);
		assert_int_equal(strstr(buf_str(&plans.report.text),
					"'quiet' is off unless it says") != NULL,
				 rows[i].warns);
		plans_free(&plans);
		strv_free(&options.modules);
	}
}

/* It is as well checked when only the daemon file is. */
static void test_options_of_what_is_off_are_checked(void **state)
{
	_cleanup_report_ struct report report = {0};
	char path[256];

	(void)state;
	snprintf(path, sizeof(path), "%s/daemon", folder);
	write_file("daemon", "modules: {quiet: {strength: 2}}\n");
	assert_int_equal(plans_check_daemon_file(path, &report), 0);
	write_file("daemon", "modules: {quiet: {strength: much}}\n");
	assert_int_equal(plans_check_daemon_file(path, &report), -EINVAL);
	assert_non_null(strstr(buf_str(&report.text), "takes a whole number, not 'much'"));
}

static void test_users_configs(void **state)
{
	struct plan_options options = {.modules_given = true,
				       .config_dir = folder,
				       .config_names = list("good|quiet_one")};
	struct plans plans;
	struct error error;

	(void)state;
	assert_int_equal(plans_build(&options, &plans, &error), 0);
	assert_int_equal(plans.count, 2);
	assert_int_equal(plans.items[0]->object_len, strlen("object"));
	assert_string_equal(plan_prefix(plans.items[0], find(&plans, "good")), "ebpf_exporter");
	plans_free(&plans);
	strv_free(&options.config_names);
	/* Without names: all of the folder that are on; those that are broken are told and left
	 * out. */
	assert_int_equal(plans_build(&options, &plans, &error), 0);
	assert_int_equal(plans.count, 1);
	assert_int_equal(plans.broken.count, 2);
	assert_non_null(strstr(buf_str(&plans.report.text), "did you mean 'metrics'?"));
	assert_non_null(strstr(buf_str(&plans.report.text), "lonely.bpf.o"));
	plans_free(&plans);
}

struct refusal {
	struct plan_options options;
	const char *settings, *modules, *names;
	const char *says;
};

static const struct refusal refusals[] = {
	{.modules = "tow", .says = "there is no module 'tow', did you mean 'two'?"},
	{.modules = "pipe", .says = "there is no module 'pipe'"},
	{.settings = "one.flag=maybe", .says = "takes true or false, not 'maybe'"},
	{.settings = "one.number=-1", .says = "takes a whole number, not '-1'"},
	{.settings = "one.small=65536", .says = "a whole number of at most 65535, not '65536'"},
	{.settings = "one.ports=53,65536", .says = "numbers of at most 65535, not '65536'"},
	{.settings = "one.from=10.0.0.0/33", .says = "takes an address or a network such as"},
	{.settings = "one.from=eth0", .says = "192.0.2.0/24 or 2001:db8::/32, not 'eth0'"},
	{.settings = "one.ports=53,dns", .says = "takes whole numbers of at most 65535, not 'dns'"},
	{.settings = "one.pace=fats", .says = "takes slow, brisk or fast, not 'fats'"},
	{.settings = "one.numbr=1", .says = "has no option 'numbr', did you mean 'number'?"},
	{.settings = "oen.number=1", .says = "there is no module 'oen', did you mean 'one'?"},
	{.settings = "nonsense", .says = "--option takes MODULE.NAME=VALUE, not 'nonsense'"},
	{.names = "good", .says = "--config.names needs --config.dir"},
	{.options = {.config_dir = folder},
	 .names = "good|good",
	 .says = "config 'good' is named twice"},
	{.options = {.config_dir = "/does/not/exist"}, .says = "cannot read the config directory"},
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		const struct refusal *r = &refusals[i];
		struct plan_options options = r->options;
		struct plans plans;
		struct error error;

		if (r->settings)
			options.settings = list(r->settings);
		if (r->names)
			options.config_names = list(r->names);
		if (r->modules)
			options.modules = list(r->modules);
		options.modules_given = r->modules;
		if (plans_build(&options, &plans, &error) == 0)
			fail_msg("accepted: %s", r->says);
		if (!strstr(error.text, r->says))
			fail_msg("'%s' says not '%s'", error.text, r->says);
		strv_free(&options.settings);
		strv_free(&options.config_names);
		strv_free(&options.modules);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stages_share_their_pipeline),
		cmocka_unit_test(test_only_the_modules_given),
		cmocka_unit_test(test_options_are_set_and_decide_the_fingerprint),
		cmocka_unit_test(test_the_command_line_wins_over_the_file),
		cmocka_unit_test(test_enabled_in_the_file_is_checked),
		cmocka_unit_test(test_off_by_default),
		cmocka_unit_test(test_options_of_what_is_off_are_checked),
		cmocka_unit_test(test_users_configs),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
