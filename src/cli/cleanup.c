// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "cli/command.h"
#include "kernel/pins.h"
#include "kernel/tc.h"
#include "kernel/xdp_dispatcher.h"

struct cleanup_options {
	bool keep_pinned;
	bool all_namespaces;
};

static const struct cli_option cleanup_option_rows[] = {
	{"keep-pinned", NULL, NULL, NULL, CLI_FLAG, offsetof(struct cleanup_options, keep_pinned),
	 "Leave what is to go on without the daemon"},
	{"all-namespaces", NULL, NULL, NULL, CLI_FLAG,
	 offsetof(struct cleanup_options, all_namespaces),
	 "Also what is pinned for other network namespaces, gone or not, where no daemon runs"},
};

static int remove_filters(struct error *e)
{
	_cleanup_close_ int claim = -1;
	unsigned removed = 0;
	int err = tc_claim(&claim, e);

	if (!err)
		err = tc_cleanup(&removed, e);
	if (!err)
		printf("removed %u filters\n", removed);
	return err;
}

static int remove_all(void *ctx, const struct pins *pins, struct error *e)
{
	struct pins_removed removed = {0};
	int err = pins_remove(pins, "", &removed, e);

	(void)ctx;
	if (removed.links || removed.maps)
		printf("removed %u pinned links and %u maps\n", removed.links, removed.maps);
	if (removed.left)
		printf("left %u things in %s that are not ours\n", removed.left, pins_path(pins));
	return err;
}

static int remove_pins(struct error *e)
{
	struct pins *pins = NULL;
	int err = pins_open(false, &pins, e);

	if (err)
		return err == -ENOENT ? 0 : err;
	err = remove_all(NULL, pins, e);
	pins_close(pins);
	return err;
}

/* After the pins, without which they go on to nothing. */
static int remove_dispatched(struct error *e)
{
	unsigned removed = 0;
	int err = xdp_dispatcher_sweep(&removed, e);

	if (removed)
		printf("removed %u programs from libxdp's dispatchers\n", removed);
	return err;
}

/* Here, and where no daemon runs: one that runs here keeps what is its own. */
static int clean_everywhere(struct error *e)
{
	int err = remove_filters(e);

	if (err && err != -EADDRINUSE)
		return err;
	err = pins_each_unheld(remove_all, NULL, e);
	return err ? err : remove_dispatched(e);
}

static int clean_here(bool keep_pinned, struct error *e)
{
	int err = remove_filters(e);

	if (!err && !keep_pinned)
		err = remove_pins(e);
	return err ? err : remove_dispatched(e);
}

static enum exit_code run_cleanup(const struct command_call *call)
{
	const struct cleanup_options *o = call->options;
	struct error error;
	int err;

	if (o->all_namespaces && o->keep_pinned)
		err = error_set_usage(&error, "--keep-pinned and --all-namespaces exclude each "
					      "other");
	else
		err = o->all_namespaces ? clean_everywhere(&error)
					: clean_here(o->keep_pinned, &error);
	return err ? command_fail(&error) : EXIT_DONE;
}

COMMAND(cleanup, .name = "cleanup",
	.summary = "Remove what a daemon that has ended left in the kernel", .order = 800,
	.text = "Modules that act on traffic go on when the daemon stops or is killed: their "
		"programs and maps are pinned in the bpffs. This takes them away from the "
		"interfaces and forgets what they have learnt, unless --keep-pinned is given. "
		"Where the kernel has no TCX (before 6.6), TC filters outlive a killed daemon, "
		"too; they are removed with the clsact qdiscs that were made for them. All of it "
		"is in this network namespace; while a daemon runs there it refuses. What was "
		"pinned for other namespaces goes with --all-namespaces.",
	.options = cleanup_option_rows, .n_options = ARRAY_SIZE(cleanup_option_rows),
	.size = sizeof(struct cleanup_options), .run = run_cleanup);
