// SPDX-License-Identifier: MIT
#include "cli/columns.h"
#include "cli/command.h"
#include "config/config.h"

static void add_key(void *ctx, const struct key_doc *key)
{
	columns_add(ctx, key->path, key->type, key->doc);
}

static enum exit_code run_keys(const struct command_call *call)
{
	struct columns table = {.n = 3};

	(void)call;
	columns_add(&table, "KEY", "TYPE", "WHAT");
	config_describe(add_key, &table);
	columns_print(&table);
	return EXIT_DONE;
}

COMMAND(config_keys, .name = "config keys", .summary = "Every key that a config may have",
	.order = 410, .size = 1, .run = run_keys);
