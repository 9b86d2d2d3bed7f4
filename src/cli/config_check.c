// SPDX-License-Identifier: MIT
#include <stdio.h>

#include "cli/command.h"
#include "engine/unit.h"
#include "http/security.h"

struct check_options {
	bool lenient;
};

static const struct cli_option check_option_rows[] = {
	{.name = "lenient",
	 .type = CLI_FLAG,
	 .offset = offsetof(struct check_options, lenient),
	 .help = "Only warn of keys that are not known"},
};

static void check_file(const char *path, struct report *report)
{
	_cleanup_(security_unref_p) struct http_security *security = NULL;

	if (!web_config_is_likely(path))
		unit_check_file(path, report);
	else if (security_load(path, NULL, report, &security) == -ENOMEM)
		report->errors++;
}

static enum exit_code run_check(const struct command_call *call)
{
	const struct check_options *o = call->options;
	_cleanup_report_ struct report report = {.lenient = o->lenient};

	if (call->n_arguments == 0) {
		fputs("wiregauge: config check takes the files to check\n", stderr);
		return EXIT_USAGE;
	}
	for (int i = 0; i < call->n_arguments; i++)
		check_file(call->arguments[i], &report);
	fputs(buf_str(&report.text), stderr);
	if (report.errors) {
		fprintf(stderr, "%u error%s\n", report.errors, report.errors == 1 ? "" : "s");
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

COMMAND(config_check, .name = "config check", .arguments = "FILE…",
	.summary = "Check configs, with their objects where these lie beside them", .order = 400,
	.text = "Tells everything that is wrong, each with its place in the file. Nothing is "
		"loaded "
		"into the kernel. A config without its compiled object is checked as far as that "
		"goes. Daemon files (run --config) and web config files (run "
		"--web.config.file) are checked as such.",
	.examples = "  wiregauge config check examples/*.yaml", .options = check_option_rows,
	.n_options = ARRAY_SIZE(check_option_rows), .size = sizeof(struct check_options),
	.run = run_check);
