// SPDX-License-Identifier: MIT
/* The operations that change something: block, allow, ban, limit, mode, and back. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "guard_amount.h"
#include "guard_bans.h"
#include "guard_change.h"
#include "guard_confirm.h"
#include "guard_request.h"

#define GUARD_OPERATION(ident, ...)                                                                \
	OPERATION(guard_##ident, .module = "guard", .changes = true, .logs_itself = true,          \
		  __VA_ARGS__)

/* "a.b.c.d is", or "3 networks are": what the request was about. */
static void name_networks(const struct operation_call *c, struct buf *text)
{
	const struct operation_value *v = NULL, *first = operation_value(c, "network");
	size_t count = 0;

	while ((v = operation_next(c, "network", v)))
		count++;
	if (count == 1)
		buf_printf(text, "%s is ", first->text);
	else
		buf_printf(text, "%zu networks are ", count);
}

/* Each of the networks given, none if one of them cannot be had. */
typedef int (*network_fn)(struct guard_request *r, const struct guard_prefix *network,
			  struct error *e);

static int each_network(struct guard_request *r, network_fn fn, struct error *e)
{
	const struct operation_value *v = NULL;
	int err = 0;

	while (!err && (v = operation_next(r->call, "network", v))) {
		struct guard_prefix network;

		err = guard_request_network(v, &network, e);
		if (!err)
			err = fn(r, &network, e);
	}
	return err;
}

static int run_networks(struct operation_call *c, network_fn check, network_fn make,
			const char *done, struct error *e)
{
	_cleanup_buf_ struct buf sentence = {0};
	struct guard_request r;
	int err;

	guard_request_begin(c, &r);
	err = check ? each_network(&r, check, e) : 0;
	if (!err)
		err = each_network(&r, make, e);
	if (err)
		return err;
	name_networks(c, &sentence);
	buf_add_str(&sentence, done);
	guard_request_done(&r, buf_str(&sentence));
	return 0;
}

#define NETWORKS                                                                                   \
	{                                                                                          \
		.name = "network", .placeholder = "NETWORK", .help = "An address or network",      \
		.type = ARGUMENT_NETWORK, .required = true, .positional = true, .repeated = true   \
	}

/* ---- lists ---- */

static int check_block(struct guard_request *r, const struct guard_prefix *network, struct error *e)
{
	return guard_request_check(r, "block", "cut off", network, e);
}

static int block(struct guard_request *r, const struct guard_prefix *network, struct error *e)
{
	uint8_t by = GUARD_BY_RUNTIME | (r->force ? GUARD_BY_FORCE : 0);
	const struct guard_change c = guard_change_of_list(GUARD_BLOCK_LIST, network, by);

	return guard_request_change(r, &c, "block", "", e);
}

static int run_block(struct operation_call *c, struct error *e)
{
	return run_networks(c, check_block, block, "blocked", e);
}

static const struct operation_argument block_arguments[] = {
	NETWORKS,
	GUARD_ARGUMENT_FORCE,
	GUARD_ARGUMENT_CONFIRM,
};

GUARD_OPERATION(
	block, .path = "/v1/guard/block", .command = "guard block",
	.summary = "Drop what comes from networks",
	.text = "For good: also over restarts of the daemon. What would cut off a peer of "
		"an SSH session, a default gateway, or a DNS or time server of this host is "
		"refused without --force.",
	.examples = "  wiregauge guard block 192.0.2.0/24 2001:db8::/32\n"
		    "  wiregauge guard block 10.0.0.0/8 --force --confirm 60",
	.arguments = block_arguments, .n_arguments = ARRAY_SIZE(block_arguments), .run = run_block);

/* What is configured is taken back where it is configured. */
static int check_commanded(struct guard_request *r, const struct guard_prefix *network, int list,
			   struct error *e)
{
	char text[GUARD_PREFIX_TEXT];
	struct guard_item item;
	int err = guard_set_get(&r->g->set, network, &item);

	if (err)
		return error_set(e, err, "cannot read the lists: %s", error_words(err));
	if (item.by[list] & GUARD_BY_RUNTIME || !(item.by[list] & GUARD_BY_DECLARED))
		return 0;
	guard_prefix_print(network, text);
	error_set(e, -EBUSY, "%s is in the %s list of the configuration", text,
		  guard_list_name(list));
	return error_hint(e, list == GUARD_BLOCK_LIST
				     ? "change it there, or let it through: wiregauge guard allow"
				     : "change it there");
}

static int remove_commanded(struct guard_request *r, const struct guard_prefix *network, int list,
			    const char *action, struct error *e)
{
	const struct guard_change c = guard_change_of_list(list, network, 0);

	return guard_request_change(r, &c, action, "", e);
}

static int check_unblock(struct guard_request *r, const struct guard_prefix *network,
			 struct error *e)
{
	return check_commanded(r, network, GUARD_BLOCK_LIST, e);
}

static int unblock(struct guard_request *r, const struct guard_prefix *network, struct error *e)
{
	const struct guard_prefix banned = guard_ban_network(r->g, network);
	const struct guard_change no_ban = guard_change_of_ban(&banned, NULL);
	int err = remove_commanded(r, network, GUARD_BLOCK_LIST, "unblock", e);

	return err ? err : guard_request_change(r, &no_ban, "unban", "", e);
}

static int run_unblock(struct operation_call *c, struct error *e)
{
	return run_networks(c, check_unblock, unblock, "not blocked any more", e);
}

static const struct operation_argument network_arguments[] = {
	NETWORKS,
	GUARD_ARGUMENT_CONFIRM,
};

GUARD_OPERATION(unblock, .path = "/v1/guard/unblock", .command = "guard unblock",
		.summary = "End blocks and bans of networks",
		.text = "What the configuration blocks stays blocked: it has to be changed there.",
		.examples = "  wiregauge guard unblock 192.0.2.0/24",
		.arguments = network_arguments, .n_arguments = ARRAY_SIZE(network_arguments),
		.run = run_unblock);

static int allow(struct guard_request *r, const struct guard_prefix *network, struct error *e)
{
	const struct guard_change c =
		guard_change_of_list(GUARD_ALLOW_LIST, network, GUARD_BY_RUNTIME);

	return guard_request_change(r, &c, "allow", "", e);
}

static int run_allow(struct operation_call *c, struct error *e)
{
	return run_networks(c, NULL, allow, "allowed", e);
}

GUARD_OPERATION(allow, .path = "/v1/guard/allow", .command = "guard allow",
		.summary = "Let through what comes from networks, whatever else is said of them",
		.text = "Allowed sources are neither blocked, banned nor limited. Addresses can be "
			"forged: allow none on whose word an attack could come.",
		.examples = "  wiregauge guard allow 198.51.100.0/24",
		.arguments = network_arguments, .n_arguments = ARRAY_SIZE(network_arguments),
		.run = run_allow);

static int check_disallow(struct guard_request *r, const struct guard_prefix *network,
			  struct error *e)
{
	return check_commanded(r, network, GUARD_ALLOW_LIST, e);
}

static int disallow(struct guard_request *r, const struct guard_prefix *network, struct error *e)
{
	return remove_commanded(r, network, GUARD_ALLOW_LIST, "disallow", e);
}

static int run_disallow(struct operation_call *c, struct error *e)
{
	return run_networks(c, check_disallow, disallow, "not allowed any more", e);
}

GUARD_OPERATION(disallow, .path = "/v1/guard/disallow", .command = "guard disallow",
		.summary = "Take networks off the allow list",
		.examples = "  wiregauge guard disallow 198.51.100.0/24",
		.arguments = network_arguments, .n_arguments = ARRAY_SIZE(network_arguments),
		.run = run_disallow);

/* ---- bans ---- */

static bool can_be_banned(const struct guard *g, const struct guard_prefix *p)
{
	return p->prefixlen == GUARD_ADDRESS_BITS ||
	       (!guard_prefix_is_ipv4(p) && p->prefixlen == g->settings->source_prefix);
}

static int check_ban(struct guard_request *r, const struct guard_prefix *address, struct error *e)
{
	const struct guard_prefix network = guard_ban_network(r->g, address);
	char text[GUARD_PREFIX_TEXT];

	if (can_be_banned(r->g, address))
		return guard_request_check(r, "ban", "cut off", &network, e);
	guard_prefix_print(address, text);
	error_set_usage(e, "cannot ban %s: a ban is of an address, or of an IPv6 /%u", text,
			r->g->settings->source_prefix);
	return error_hint(e, "for a network: wiregauge guard block %s", text);
}

static int ban(struct guard_request *r, const struct guard_prefix *address, struct error *e)
{
	const struct operation_value *time = operation_value(r->call, "for");
	uint64_t now = clock_monotonic_ns(), ns = time ? time->ns : r->g->options.ban_ns;
	const struct guard_prefix network = guard_ban_network(r->g, address);
	const struct guard_ban wanted = {
		.since_ns = now,
		.expires_ns = now + ns,
		.id = r->force ? GUARD_BAN_FORCED : 0,
		.origin = GUARD_RUNTIME,
		.reason = GUARD_REASON_BANNED,
	};
	const struct guard_change c = guard_change_of_ban(&network, &wanted);
	char text[UNITS_TEXT_MAX];

	return guard_request_change(r, &c, "ban", timespan_text(ns, text), e);
}

static int run_ban(struct operation_call *c, struct error *e)
{
	return run_networks(c, check_ban, ban, "banned", e);
}

static const struct operation_argument ban_arguments[] = {
	NETWORKS,
	{.name = "for",
	 .placeholder = "TIME",
	 .help = "How long; the option ban_time unless said",
	 .type = ARGUMENT_DURATION},
	GUARD_ARGUMENT_FORCE,
	GUARD_ARGUMENT_CONFIRM,
};

GUARD_OPERATION(
	ban, .path = "/v1/guard/ban", .command = "guard ban",
	.summary = "Drop what comes from addresses, for a time",
	.text = "Of IPv6 the network of the option source_prefix is banned. A ban ends by "
		"itself, or by: wiregauge guard unblock. Do not ban for packets whose source "
		"may be forged: whoever forges it chooses who is banned.",
	.examples = "  wiregauge guard ban 192.0.2.7 --for 10m", .arguments = ban_arguments,
	.n_arguments = ARRAY_SIZE(ban_arguments), .run = run_ban);

/* ---- limits ---- */

static int take_target(const struct operation_call *c, struct guard_target *ret, struct error *e)
{
	const char *text = operation_text_of(c, "target");

	if (guard_target_parse(text, ret))
		return 0;
	return error_set_usage(e, "'%s' is not " GUARD_TARGET_TAKES, text);
}

static int take_amount(const struct operation_call *c, struct guard_amount *ret, struct error *e)
{
	const struct operation_value *v = NULL;
	int err = 0;

	*ret = (struct guard_amount){0};
	while (!err && (v = operation_next(c, "rate", v)))
		err = guard_amount_parse(v->text, ret, e);
	return err;
}

static int run_limit(struct operation_call *c, struct error *e)
{
	_cleanup_buf_ struct buf sentence = {0}, amount_text = {0};
	struct guard_amount amount;
	struct guard_target target;
	struct guard_request r;
	struct guard_change wanted;
	int err = take_target(c, &target, e);

	guard_request_begin(c, &r);
	if (!err)
		err = take_amount(c, &amount, e);
	if (!err && target.kind == GUARD_TARGET_NETWORK)
		err = guard_request_check(&r, "limit", "hold back", &target.prefix, e);
	if (err)
		return err;
	guard_amount_add_text(&amount, &amount_text);
	wanted = guard_change_of_limit(&target, &amount);
	err = guard_request_change(&r, &wanted, "limit", buf_str(&amount_text), e);
	if (err)
		return err;
	guard_target_add_text(&target, &sentence);
	buf_printf(&sentence, " is limited to %s", buf_str(&amount_text));
	guard_request_done(&r, buf_str(&sentence));
	return 0;
}

#define TARGET                                                                                     \
	{                                                                                          \
		.name = "target", .placeholder = "TARGET",                                         \
		.help = "A network, a port such as 53/udp, or sources: each one in no such "       \
			"network",                                                                 \
		.type = ARGUMENT_TEXT, .required = true, .positional = true                        \
	}

static const struct operation_argument limit_arguments[] = {
	TARGET,
	{.name = "rate",
	 .placeholder = "RATE",
	 .help = "In bits or packets a second: 20mbit, 5kpps; one of each, or one",
	 .type = ARGUMENT_RATE,
	 .required = true,
	 .positional = true,
	 .repeated = true},
	GUARD_ARGUMENT_FORCE,
	GUARD_ARGUMENT_CONFIRM,
};

GUARD_OPERATION(
	limit, .path = "/v1/guard/limit", .command = "guard limit",
	.summary = "Drop what is more than a rate",
	.text = "Of a network each source is limited by itself (of IPv6 each network of the "
		"option source_prefix), of a port all packets to it together. What came in "
		"100 ms may come at once.",
	.examples = "  wiregauge guard limit 10.0.0.0/8 20mbit 5kpps\n"
		    "  wiregauge guard limit 53/udp 10kpps\n"
		    "  wiregauge guard limit sources 100kpps",
	.arguments = limit_arguments, .n_arguments = ARRAY_SIZE(limit_arguments), .run = run_limit);

static int check_unlimit(const struct guard *g, const struct guard_target *target, const char *text,
			 struct error *e)
{
	struct guard_limit_book book;
	int err = guard_limits_get(&g->limits, target, &book);

	if (err == -ENOENT)
		return error_set(e, err, "%s has no limit", text);
	if (err || book.runtime.bits || book.runtime.packets)
		return err;
	error_set(e, -EBUSY, "the limit of %s is in the configuration", text);
	return error_hint(e, "change it there, or set a higher one: wiregauge guard limit");
}

static int run_unlimit(struct operation_call *c, struct error *e)
{
	const char *text = operation_text_of(c, "target");
	_cleanup_buf_ struct buf sentence = {0};
	struct guard_target target;
	struct guard_request r;
	struct guard_change wanted;
	int err = take_target(c, &target, e);

	guard_request_begin(c, &r);
	if (!err)
		err = check_unlimit(r.g, &target, text, e);
	if (err)
		return err;
	wanted = guard_change_of_limit(&target, NULL);
	err = guard_request_change(&r, &wanted, "unlimit", "", e);
	if (err)
		return err;
	buf_printf(&sentence, "the limit of %s is lifted", text);
	guard_request_done(&r, buf_str(&sentence));
	return 0;
}

static const struct operation_argument unlimit_arguments[] = {TARGET, GUARD_ARGUMENT_CONFIRM};

GUARD_OPERATION(unlimit, .path = "/v1/guard/unlimit", .command = "guard unlimit",
		.summary = "Lift a limit that was commanded",
		.text = "Where the configuration has a limit, that one holds again.",
		.examples = "  wiregauge guard unlimit 53/udp", .arguments = unlimit_arguments,
		.n_arguments = ARRAY_SIZE(unlimit_arguments), .run = run_unlimit);

/* ---- mode ---- */

static int run_mode(struct operation_call *c, struct error *e)
{
	const char *mode = operation_text_of(c, "mode");
	const struct guard_change wanted =
		guard_change_of_mode(STREQ(mode, "enforce") ? GUARD_ENFORCE : GUARD_MONITOR);
	_cleanup_buf_ struct buf sentence = {0};
	struct guard_request r;
	int err;

	guard_request_begin(c, &r);
	err = guard_request_change(&r, &wanted, "mode", mode, e);
	if (err)
		return err;
	buf_printf(&sentence, "guard is in mode %s", mode);
	guard_request_done(&r, buf_str(&sentence));
	return 0;
}

static const struct operation_argument mode_arguments[] = {
	{.name = "mode",
	 .placeholder = "MODE",
	 .help = "monitor: count what would be dropped; enforce: drop it",
	 .type = ARGUMENT_CHOICE,
	 .choices = "monitor enforce",
	 .required = true,
	 .positional = true},
	GUARD_ARGUMENT_CONFIRM,
};

GUARD_OPERATION(mode, .path = "/v1/guard/mode", .command = "guard mode",
		.summary = "Only count what would be dropped, or drop it",
		.text = "It stays so over restarts of the daemon, until another mode is configured "
			"than was before.",
		.examples = "  wiregauge guard mode enforce --confirm 60",
		.arguments = mode_arguments, .n_arguments = ARRAY_SIZE(mode_arguments),
		.run = run_mode);

/* ---- confirm and revert ---- */

static int settle(struct operation_call *c, bool revert, struct error *e)
{
	uint32_t id = (uint32_t)operation_number_of(c, "id", 0);
	struct guard_request r;
	int count;

	guard_request_begin(c, &r);
	count = guard_confirm_settle(r.g, id, revert, r.by, e);
	if (count < 0)
		return count;
	if (count == 0)
		return error_set(e, -ENOENT, "nothing waits to be confirmed%s",
				 id ? " by that number" : "");
	operation_done(c, revert ? "%d change%s taken back" : "%d change%s confirmed", count,
		       count == 1 ? "" : "s");
	guard_tick(r.g);
	return 0;
}

static int run_confirm(struct operation_call *c, struct error *e)
{
	return settle(c, false, e);
}

static int run_revert(struct operation_call *c, struct error *e)
{
	return settle(c, true, e);
}

static const struct operation_argument settle_arguments[] = {
	{.name = "id",
	 .placeholder = "NUMBER",
	 .help = "Which; all unless said",
	 .type = ARGUMENT_NUMBER,
	 .max = UINT32_MAX,
	 .positional = true},
};

GUARD_OPERATION(confirm, .path = "/v1/guard/confirm", .command = "guard confirm",
		.summary = "Keep what was changed with --confirm",
		.examples = "  wiregauge guard confirm", .arguments = settle_arguments,
		.n_arguments = ARRAY_SIZE(settle_arguments), .run = run_confirm);

GUARD_OPERATION(revert, .path = "/v1/guard/revert", .command = "guard revert",
		.summary = "Take back what was changed with --confirm, now",
		.examples = "  wiregauge guard revert", .arguments = settle_arguments,
		.n_arguments = ARRAY_SIZE(settle_arguments), .run = run_revert);

/* ---- files of lists ---- */

static int run_reload(struct operation_call *c, struct error *e)
{
	_cleanup_guard_items_ struct guard_items declared = {0};
	struct guard_mistakes mistakes = {0};
	struct guard_request r;
	int err;

	guard_request_begin(c, &r);
	err = guard_read_declared(&r.g->options, &declared, &mistakes, e);
	buf_add(&c->details, mistakes.lines.data, mistakes.lines.len);
	buf_free(&mistakes.lines);
	if (!err && mistakes.count)
		err = error_set_usage(e, "%zu lines are no networks; the lists stay as they were",
				      mistakes.count);
	if (!err)
		err = guard_take_declared(r.g, &declared, e);
	if (!err)
		err = guard_protect_now(r.g, e);
	if (err)
		return err;
	r.g->list_mistakes = 0;
	guard_log_write(&r.g->log, "reload", "lists", r.by, "%zu networks are configured",
			declared.count);
	operation_done(c, "the lists are read again: %zu networks are configured", declared.count);
	guard_tick(r.g);
	return 0;
}

GUARD_OPERATION(
	reload, .path = "/v1/guard/reload", .command = "guard reload",
	.summary = "Read the files of lists again",
	.text = "All of them become the lists in one step. If a line is wrong, the lists stay "
		"as they were, and it is said which.",
	.examples = "  wiregauge guard reload", .run = run_reload);
