// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>

#include "cli/command.h"
#include "control/client.h"
#include "control/operation.h"
#include "kernel/tc.h"

struct cleanup_options {
	const char *control_socket;
};

static const struct cli_option cleanup_option_rows[] = {
	CLI_OPTION_SOCKET(struct cleanup_options, control_socket),
};

static enum exit_code run_cleanup(const struct command_call *call)
{
	const struct cleanup_options *o = call->options;
	unsigned removed = 0;
	struct error error;
	json_t *status;

	if (control_ask(o->control_socket, "/v1/status", &status, &error) == 0) {
		json_decref(status);
		error_set(&error, -EBUSY,
			  "a daemon answers at '%s', whose filters these are; stop it first",
			  o->control_socket);
		return command_fail(&error);
	}
	if (tc_cleanup(&removed, &error))
		return command_fail(&error);
	printf("removed %u filters\n", removed);
	return EXIT_DONE;
}

COMMAND(cleanup, .name = "cleanup", .summary = "Remove what a killed daemon left in the kernel",
	.order = 800,
	.text = "Where the kernel has TCX (6.6 and later) nothing is left. Before that, TC filters "
		"outlive\n"
		"the daemon; this removes them, and the clsact qdiscs that were made for them.",
	.options = cleanup_option_rows, .n_options = ARRAY_SIZE(cleanup_option_rows),
	.size = sizeof(struct cleanup_options), .run = run_cleanup);
