// SPDX-License-Identifier: MIT
#include <stdio.h>

#include "base/cleanup.h"
#include "cli/command.h"
#include "kernel/tc.h"

static enum exit_code run_cleanup(const struct command_call *call)
{
	_cleanup_close_ int claim = -1;
	unsigned removed = 0;
	struct error error;

	(void)call;
	if (tc_claim(&claim, &error) || tc_cleanup(&removed, &error))
		return command_fail(&error);
	printf("removed %u filters\n", removed);
	return EXIT_DONE;
}

COMMAND(cleanup, .name = "cleanup", .summary = "Remove what a killed daemon left in the kernel",
	.order = 800, .size = 1,
	.text = "Where the kernel has TCX (6.6 and later) nothing is left. Before that, TC filters "
		"outlive the daemon; this removes them, and the clsact qdiscs that were made for "
		"them, in this network namespace. While a daemon runs there it refuses.",
	.run = run_cleanup);
