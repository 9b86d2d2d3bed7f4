// SPDX-License-Identifier: MIT
#include "guard_request.h"

#include <errno.h>
#include <string.h>

#include "guard_change.h"
#include "guard_confirm.h"

void guard_request_begin(struct operation_call *c, struct guard_request *ret)
{
	const struct operation_value *confirm = operation_value(c, "confirm");

	*ret = (struct guard_request){
		.g = c->part,
		.call = c,
		.force = operation_flag_of(c, "force"),
		.confirm_ns = confirm ? confirm->ns : 0,
	};
	if (c->peer)
		peer_text(c->peer, ret->by);
}

int guard_request_network(const struct operation_value *v, struct guard_prefix *ret,
			  struct error *e)
{
	if (guard_prefix_take(&v->network, ret))
		return 0;
	return error_set_usage(e, "'%s' is not " GUARD_NETWORK_TAKES, v->text);
}

/* Whether what the option `protect` names is among them: that stands above commands. */
static bool is_for_good(const struct guard *g, const struct guard_prefix *network)
{
	const struct guard_protected *p;
	size_t at = 0;

	while ((p = guard_protected_next(&g->protected, network, &at))) {
		if (p->kind == GUARD_PROTECTED_OPTION)
			return true;
	}
	return false;
}

int guard_request_check(struct guard_request *r, const char *verb, const char *effect,
			const struct guard_prefix *network, struct error *e)
{
	_cleanup_buf_ struct buf whom = {0};
	char text[GUARD_PREFIX_TEXT];
	int err = guard_protect_now(r->g, e);
	bool for_good = !err && is_for_good(r->g, network);

	if (err || (r->force && !for_good) ||
	    !guard_protected_explain(&r->g->protected, network, &whom))
		return err;
	guard_prefix_print(network, text);
	error_set(e, -EBUSY, "will not %s %s: it would %s %s", verb, text, effect, buf_str(&whom));
	if (for_good)
		return error_hint(e, "what the option protect names has to be taken out there");
	return error_hint(e, "to do it all the same, and have it taken back unless you still get "
			     "through: --force --confirm 60");
}

/* Before it is made: whatever ends the daemon in between, it is taken back. */
static int arm(struct guard_request *r, const struct guard_change *before, struct error *e)
{
	if (r->confirm_ns)
		return guard_confirm_arm(r->g, before, r->confirm_ns, &r->last_id, e);
	guard_confirm_forget(r->g, before);
	return 0;
}

int guard_request_change(struct guard_request *r, const struct guard_change *wanted,
			 const char *action, const char *why, struct error *e)
{
	_cleanup_buf_ struct buf subject = {0};
	struct guard_change before = *wanted;
	int err = guard_change_read(r->g, &before, e);

	if (err || memcmp(&before, wanted, sizeof(before)) == 0)
		return err;
	err = arm(r, &before, e);
	if (!err)
		err = guard_change_make(r->g, wanted, e);
	if (err)
		return err;
	r->changed++;
	guard_change_add_subject(wanted, &subject);
	guard_log_write(&r->g->log, action, buf_str(&subject), r->by, "commanded%s%s%s",
			*why ? ": " : "", why, r->force ? ", by force" : "");
	return 0;
}

void guard_request_done(struct guard_request *r, const char *sentence)
{
	char time[UNITS_TEXT_MAX];

	guard_tick(r->g); /* the timer for what waits, and the metrics */
	if (!r->last_id) {
		operation_done(r->call, "%s%s", sentence, r->changed ? "" : " already");
		return;
	}
	operation_done(r->call,
		       "%s; it is taken back in %s unless you say: wiregauge guard confirm",
		       sentence, timespan_text(r->confirm_ns, time));
	json_object_set_new(r->call->answer, "confirm", json_integer(r->last_id));
}
