// SPDX-License-Identifier: MIT
#include "control/reload.h"

#include <stdio.h>

#include "base/log.h"
#include "base/notify.h"
#include "control/operation.h"
#include "http/security.h"

const char *reload_count_modules(const struct agent *a, char *text, size_t size)
{
	size_t modules = 0;
	int n;

	for (size_t i = 0; i < a->n_units; i++)
		modules += a->units[i]->plan->n_modules;
	n = snprintf(text, size, "%zu module%s", modules, modules == 1 ? "" : "s");
	if (a->n_broken)
		snprintf(text + n, size - (size_t)n, ", %zu broken", a->n_broken);
	return text;
}

static int load_security(const struct reloader *r, struct http_security **ret, struct buf *details,
			 struct error *e)
{
	_cleanup_(security_unref_p) struct http_security *before = NULL;
	_cleanup_report_ struct report report = {0};
	int err;

	if (!r->web_config)
		return 0;
	before = http_server_security(r->web);
	err = security_load(r->web_config, before, &report, ret);
	if (report.text.len) {
		log_write(report.errors ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "%s",
			  buf_str(&report.text));
		buf_add(details, report.text.data, report.text.len);
	}
	if (err == -EINVAL)
		return error_set_usage(e, "the web config file '%s' is wrong", r->web_config);
	return err ? error_set(e, err, "no memory for the web config file") : 0;
}

/* What is out of reach is said before it is tried. The web config before the agent: once the agent
 * has taken the new configuration, there is no way back. */
static int reload_all(struct reloader *r, struct buf *details, struct error *e)
{
	_cleanup_(security_unref_p) struct http_security *security = NULL;
	int err = sandbox_check(r->sandbox, e);

	if (!err)
		err = load_security(r, &security, details, e);
	if (!err)
		err = agent_reload(r->agent, details, e);
	if (!err && security)
		http_server_secure(r->web, TAKE_PTR(security));
	return err;
}

int reload_run(struct reloader *r, struct buf *details, struct error *e)
{
	char what[64];
	int err;

	notify_send("STATUS=reading the configuration again");
	log_info("reading the configuration again");
	err = reload_all(r, details, e);
	agent_note_reload(r->agent, !err);
	if (err)
		error_prefix(e, "the new configuration is refused, what ran before goes on");
	else
		snprintf(e->text, sizeof(e->text), "the new configuration runs: %s",
			 reload_count_modules(r->agent, what, sizeof(what)));
	log_write(err ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "%s", e->text);
	notify_send("STATUS=serving");
	return err;
}

static int run_reload(struct operation_call *c, struct error *e)
{
	int err = reload_run(c->reloader, &c->details, e);

	if (!err)
		operation_done(c, "%s", e->text);
	return err;
}

OPERATION(
	reload, .path = "/v1/config/reload", .command = "config reload", .order = 410,
	.changes = true, .summary = "Have the running daemon read its configuration again",
	.text = "Does what SIGHUP does, waits for it, and tells how it ended. Units whose config, "
		"object and options are the same go on with their counters. When anything is "
		"wrong with the new configuration, all goes on as before, and what is wrong is "
		"told with its place.",
	.examples = "  wiregauge config reload", .run = run_reload);
