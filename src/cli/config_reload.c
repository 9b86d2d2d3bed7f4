// SPDX-License-Identifier: MIT
#include <stdio.h>

#include "cli/command.h"
#include "control/client.h"
#include "control/operation.h"

struct reload_options {
	const char *control_socket;
};

static const struct cli_option reload_option_rows[] = {
	CLI_OPTION_SOCKET(struct reload_options, control_socket),
};

static enum exit_code run_reload(const struct command_call *call)
{
	const struct reload_options *o = call->options;
	_cleanup_buf_ struct buf details = {0};
	struct error error;
	json_t *answer;
	int err = control_do(o->control_socket, "/v1/config/reload", &answer, &details, &error);

	fputs(buf_str(&details), stderr);
	if (err)
		return command_fail(&error);
	puts(json_string_value(json_object_get(answer, "done")));
	json_decref(answer);
	return EXIT_DONE;
}

COMMAND(config_reload, .name = "config reload",
	.summary = "Have the running daemon read its configuration again", .order = 410,
	.text = "Does what SIGHUP does, waits for it, and tells how it ended. Units whose config, "
		"object and options are the same go on with their counters. When anything is wrong "
		"with the new configuration, all goes on as before, and what is wrong is told with "
		"its place.",
	.examples = "  wiregauge config reload", .options = reload_option_rows,
	.n_options = ARRAY_SIZE(reload_option_rows), .size = sizeof(struct reload_options),
	.run = run_reload);
