// SPDX-License-Identifier: MIT
/* The operations that only look: status, list, limits, explain, log. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "control/operation.h"
#include "engine/part.h"
#include "engine/unit.h"
#include "guard_amount.h"
#include "guard_bans.h"
#include "guard_change.h"
#include "guard_confirm.h"
#include "guard_map.h"
#include "kernel/mapwrite.h"

#define GUARD_VIEW(ident, ...) OPERATION(guard_##ident, .module = "guard", __VA_ARGS__)

enum { ROWS_UNLESS_SAID = 1000, ROWS_MAX = 10000000, LOG_UNLESS_SAID = 50, LOG_MAX = 100000 };

static double seconds_until(uint64_t ns)
{
	uint64_t now = clock_monotonic_ns();

	return ns > now ? (double)(ns - now) / (double)NSEC_PER_SEC : 0;
}

static json_t *text_of_prefix(const struct guard_prefix *p)
{
	char text[GUARD_PREFIX_TEXT];

	guard_prefix_print(p, text);
	return json_string(text);
}

static json_t *json_of(struct buf *text)
{
	return operation_text(buf_str(text));
}

/* "configuration, command" */
static void add_by(uint8_t by, struct buf *text)
{
	static const struct {
		uint8_t by;
		const char *word;
	} words[] = {
		{GUARD_BY_DECLARED, "configuration"},
		{GUARD_BY_RUNTIME, "command"},
		{GUARD_BY_AUTOMATIC, "guard"},
		{GUARD_BY_PROTECTION, "protection"},
		{GUARD_BY_FORCE, "force"},
	};

	for (size_t i = 0, n = 0; i < ARRAY_SIZE(words); i++) {
		if (by & words[i].by)
			buf_printf(text, "%s%s", n++ ? ", " : "", words[i].word);
	}
}

static json_t *text_of_by(uint8_t by)
{
	_cleanup_buf_ struct buf text = {0};

	add_by(by, &text);
	return json_of(&text);
}

/* ---- status ---- */

static json_t *describe_pending(const struct guard *g)
{
	json_t *list = json_array();
	struct guard_pending p;

	for (uint32_t i = 0; guard_confirm_at(g, i, &p); i++) {
		_cleanup_buf_ struct buf what = {0};

		if (!p.id)
			continue;
		guard_change_describe(&p.before, &what);
		json_array_append_new(list, json_pack("{s:I, s:o, s:f}", "id", (json_int_t)p.id,
						      "what", json_of(&what), "seconds_left",
						      seconds_until(p.deadline_ns)));
	}
	return list;
}

static json_t *describe_protected(const struct guard *g)
{
	json_t *list = json_array();

	for (size_t i = 0; i < g->protected.count; i++) {
		const struct guard_protected *p = &g->protected.items[i];
		_cleanup_buf_ struct buf text = {0};

		buf_printf(&text, "%s ", guard_protected_name(p->kind));
		guard_prefix_add_text(&p->prefix, &text);
		json_array_append_new(list, json_of(&text));
	}
	return list;
}

static json_t *describe_list(const struct guard *g, int list)
{
	const size_t *by = g->set.slot.by[list];

	return json_pack("{s:I, s:I, s:I}", "configuration", (json_int_t)by[GUARD_ENTRY_DECLARED],
			 "command", (json_int_t)by[GUARD_ENTRY_RUNTIME], "protection",
			 (json_int_t)by[GUARD_ENTRY_PROTECTION]);
}

static const char *const silences[] = {
	[GUARD_SILENCE_STATIC] = "static",
	[GUARD_SILENCE_KEEP] = "keep",
	[GUARD_SILENCE_PASS] = "pass",
};

static json_t *describe_detection(const struct guard *g)
{
	bool learns = guard_detect_learns(g, clock_monotonic_ns());

	return json_string(!g->options.detect.on ? "off" : learns ? "learning" : "watching");
}

/* "eth0"; each once, whatever programs are there. */
static void add_interface(void *ctx, const struct attachment *at)
{
	json_t *list = ctx, *name;
	size_t i;

	json_array_foreach(list, i, name)
	{
		if (STREQ(json_string_value(name), at->where))
			return;
	}
	json_array_append_new(list, operation_text(at->where));
}

/* Where packets are looked at; or why nowhere. */
static void describe_interfaces(const struct operation_call *c)
{
	const struct unit *u = part_unit(c->agent, c->operation->module);
	_cleanup_buf_ struct buf choice = {0};
	json_t *list = json_array();

	if (u)
		unit_each_place(u, add_interface, list);
	json_object_set_new(c->answer, "interfaces", list);
	if (u && unit_is_nowhere(u, &choice))
		json_object_set_new(c->answer, "no_interface_is", json_of(&choice));
}

static int run_status(struct operation_call *c, struct error *e)
{
	struct guard *g = c->part;

	(void)e;
	c->answer =
		json_pack("{s:s, s:s, s:o, s:o, s:I, s:I, s:o, s:I, s:o, s:I, s:o}", "mode",
			  guard_mode_name(g->settings->mode), "on_silence",
			  silences[g->options.on_silence], "allow",
			  describe_list(g, GUARD_ALLOW_LIST), "block",
			  describe_list(g, GUARD_BLOCK_LIST), "wrong_lines",
			  (json_int_t)g->list_mistakes, "bans", (json_int_t)g->n_bans, "pending",
			  describe_pending(g), "limits", (json_int_t)guard_limits_count(&g->limits),
			  "detection", describe_detection(g), "defended",
			  (json_int_t)g->detect.defended, "protected", describe_protected(g));
	describe_interfaces(c);
	if (g->protected.failures.len)
		json_object_set_new(c->answer, "protection_incomplete",
				    json_of(&g->protected.failures));
	return 0;
}

GUARD_VIEW(status, .path = "/v1/guard/status", .command = "guard status",
	   .summary = "What guard does, and whom it protects",
	   .answer = "mode, on_silence; interfaces: where packets are looked at, and if there is "
		     "none, no_interface_is: what was to choose them; allow, block: networks by "
		     "who put them there; bans, limits; pending: what waits to be confirmed; "
		     "protected: whom no rule may cut off",
	   .examples = "  wiregauge guard status", .run = run_status);

/* ---- list ---- */

struct listing {
	const struct guard *g;
	json_t *table;
	uint64_t left;                    /* rows that may still be added */
	uint64_t more;                    /* that found no room */
	const struct guard_prefix *about; /* NULL: all */
};

static bool is_about(const struct listing *l, const struct guard_prefix *p)
{
	return !l->about || guard_prefix_overlaps(l->about, p);
}

static void add_row(struct listing *l, json_t *row)
{
	if (l->left) {
		operation_table_add(l->table, row);
		l->left--;
		return;
	}
	l->more++;
	json_decref(row);
}

static void add_item(struct listing *l, const struct guard_item *item, int list)
{
	if (!item->by[list] || !is_about(l, &item->prefix))
		return;
	if (!l->left) {
		l->more++;
		return;
	}
	add_row(l, json_pack("{s:s, s:o, s:o}", "list", guard_list_name(list), "network",
			     text_of_prefix(&item->prefix), "by", text_of_by(item->by[list])));
}

static int add_lists(struct listing *l, const char *which, struct error *e)
{
	_cleanup_guard_items_ struct guard_items items = {0};
	int err = guard_set_read(&l->g->set, &items, e);

	for (int list = 0; !err && list < GUARD_LISTS; list++) {
		if (which && !STREQ(which, guard_list_name(list)))
			continue;
		for (size_t i = 0; i < items.count; i++)
			add_item(l, &items.items[i], list);
	}
	return err;
}

static int add_ban(void *ctx, const struct guard_prefix *network, const struct guard_ban *ban)
{
	static const char *const by[] = {
		[GUARD_DECLARED] = "configuration",
		[GUARD_RUNTIME] = "command",
		[GUARD_AUTOMATIC] = "guard",
		[GUARD_PROTECTED] = "protection",
	};
	struct listing *l = ctx;
	json_t *row;

	if (!is_about(l, network))
		return 0;
	row = json_pack("{s:s, s:o, s:s}", "list", "ban", "network", text_of_prefix(network), "by",
			ban->origin < ARRAY_SIZE(by) && by[ban->origin] ? by[ban->origin] : "?");
	if (ban->expires_ns)
		json_object_set_new(row, "seconds_left", json_real(seconds_until(ban->expires_ns)));
	add_row(l, row);
	return 0;
}

static json_t *make_list_table(void)
{
	static const struct operation_column columns[] = {
		{"list", NULL, "text", NULL, 3},
		{"network", NULL, "text", NULL, 4},
		{"by", NULL, "text", NULL, 2},
		{"seconds_left", "FOR", "gauge", "seconds", 1},
	};

	return operation_table("Networks that guard lets through or drops",
			       "no network is allowed, blocked or banned", columns,
			       ARRAY_SIZE(columns));
}

static int run_list(struct operation_call *c, struct error *e)
{
	const struct operation_value *network = operation_value(c, "network");
	const char *which = operation_text_of(c, "list");
	struct guard_prefix about;
	struct listing l = {
		.g = c->part,
		.left = operation_number_of(c, "limit", ROWS_UNLESS_SAID),
	};
	int err = 0;

	if (network && !guard_prefix_take(&network->network, &about))
		return error_set_usage(e, "'%s' is not " GUARD_NETWORK_TAKES, network->text);
	l.about = network ? &about : NULL;
	c->answer = l.table = make_list_table();
	if (!which || STREQ(which, "ban"))
		err = guard_bans_each(l.g, add_ban, &l, e);
	if (!err && (!which || !STREQ(which, "ban")))
		err = add_lists(&l, which, e);
	if (!err && l.more)
		json_object_set_new(c->answer, "more", json_integer((json_int_t)l.more));
	return err;
}

static const struct operation_argument list_arguments[] = {
	{.name = "network",
	 .placeholder = "NETWORK",
	 .help = "Only what it is in, or has in it",
	 .type = ARGUMENT_NETWORK,
	 .positional = true},
	{.name = "list",
	 .placeholder = "LIST",
	 .help = "Only allow, block or ban",
	 .type = ARGUMENT_CHOICE,
	 .choices = "allow block ban"},
	{.name = "limit",
	 .placeholder = "ROWS",
	 .help = "At most so many; 1000 unless said",
	 .type = ARGUMENT_NUMBER,
	 .max = ROWS_MAX},
};

GUARD_VIEW(list, .path = "/v1/guard/list", .command = "guard list",
	   .summary = "What is allowed, blocked and banned, and by whom",
	   .examples = "  wiregauge guard list\n  wiregauge guard list 192.0.2.7",
	   .arguments = list_arguments, .n_arguments = ARRAY_SIZE(list_arguments), .run = run_list);

/* ---- limits ---- */

static json_t *text_of_amount(const struct guard_amount *a)
{
	_cleanup_buf_ struct buf text = {0};

	guard_amount_add_text(a, &text);
	return json_of(&text);
}

static int add_limit(void *ctx, const void *key, const void *value)
{
	_cleanup_buf_ struct buf name = {0};
	struct guard_limit_book book;
	struct guard_target target;
	bool commanded;

	memcpy(&target, key, sizeof(target));
	memcpy(&book, value, sizeof(book));
	commanded = guard_limit_amount(&book) == &book.runtime;
	guard_target_add_text(&target, &name);
	operation_table_add(ctx, json_pack("{s:o, s:o, s:s, s:o}", "target", json_of(&name),
					   "limit", text_of_amount(guard_limit_amount(&book)), "by",
					   commanded ? "command" : "configuration", "configured",
					   text_of_amount(&book.declared)));
	return 0;
}

static int run_limits(struct operation_call *c, struct error *e)
{
	static const struct operation_column columns[] = {
		{"target", NULL, "text", NULL, 4},
		{"limit", NULL, "text", NULL, 3},
		{"by", NULL, "text", NULL, 2},
		{"configured", NULL, "text", NULL, 1},
	};
	const struct guard *g = c->part;

	c->answer = operation_table("Rates that guard holds sources and ports to",
				    "nothing is limited", columns, ARRAY_SIZE(columns));
	return guard_map_each(&g->limits.books, add_limit, c->answer, e);
}

GUARD_VIEW(limits, .path = "/v1/guard/limits", .command = "guard limits",
	   .summary = "What is limited, to how much, and by whom",
	   .examples = "  wiregauge guard limits", .run = run_limits);

/* ---- explain ---- */

struct explanation {
	struct guard *g;
	json_t *table;
	struct guard_prefix address;
	const char *verdict; /* the first that was found */
};

static void explain(struct explanation *x, const char *step, struct buf *match, const char *verdict)
{
	operation_table_add(x->table, json_pack("{s:s, s:o, s:s}", "step", step, "match",
						json_of(match), "verdict", verdict));
	if (!x->verdict && *verdict)
		x->verdict = verdict;
}

/* The longest network of the list that it is in. */
static bool find_listed(const struct explanation *x, int list, struct buf *match, uint8_t *ret_by)
{
	const struct guard_slot *slot = &x->g->set.slot;
	uint8_t by[GUARD_LISTS] = {0};
	struct guard_prefix network;
	struct guard_entry entry;

	if (mapwrite_get(slot->exact.fd, x->address.address, &entry) == 0)
		guard_item_of_entry(&entry, by);
	if (!by[list] && mapwrite_get(slot->tries[list].fd, &x->address, &entry) == 0)
		guard_item_of_entry(&entry, by);
	if (!by[list])
		return false;
	network = guard_prefix_cut(&x->address, guard_entry_length(&entry));
	guard_prefix_add_text(&network, match);
	buf_add_str(match, ", by ");
	add_by(by[list], match);
	*ret_by = by[list];
	return true;
}

static void explain_list(struct explanation *x, int list)
{
	_cleanup_buf_ struct buf match = {0};
	const char *verdict = "";
	uint8_t by = 0;

	if (find_listed(x, list, &match, &by))
		verdict = list == GUARD_BLOCK_LIST   ? "blocklisted"
			  : by & GUARD_BY_PROTECTION ? "protected"
						     : "allowed";
	explain(x, guard_list_name(list), &match, verdict);
}

static void explain_ban(struct explanation *x)
{
	const struct guard_prefix network = guard_ban_network(x->g, &x->address);
	_cleanup_buf_ struct buf match = {0};
	char time[UNITS_TEXT_MAX];
	struct guard_ban ban;
	bool banned = guard_ban_get(x->g, &network, &ban) == 0;

	if (banned) {
		guard_prefix_add_text(&network, &match);
		buf_printf(&match, ", for %s",
			   timespan_text((uint64_t)seconds_until(ban.expires_ns) * NSEC_PER_SEC,
					 time));
	}
	explain(x, "ban", &match, banned ? "banned" : "");
}

static void explain_limit(struct explanation *x)
{
	struct guard_target target = {.kind = GUARD_TARGET_SOURCES};
	_cleanup_buf_ struct buf match = {0};
	struct guard_limit_book book;
	bool limited = guard_limits_find(&x->g->limits, &x->address, &target, &book) == 0;

	if (limited) {
		guard_target_add_text(&target, &match);
		buf_add_char(&match, ' ');
		guard_amount_add_text(guard_limit_amount(&book), &match);
	}
	explain(x, "limit", &match, limited ? "limited" : "");
}

static int run_explain(struct operation_call *c, struct error *e)
{
	static const struct operation_column columns[] = {
		{"step", NULL, "text", NULL, 3},
		{"match", NULL, "text", NULL, 2},
		{"verdict", NULL, "text", NULL, 1},
	};
	const struct operation_value *v = operation_value(c, "address");
	struct explanation x = {.g = c->part};

	if (!guard_prefix_take(&v->network, &x.address) ||
	    x.address.prefixlen != GUARD_ADDRESS_BITS)
		return error_set_usage(e, "'%s' is not one address", v->text);
	c->answer = x.table = operation_table("What is said of an address, in the order in which "
					      "it counts: the first verdict holds",
					      "", columns, ARRAY_SIZE(columns));
	explain_list(&x, GUARD_ALLOW_LIST);
	explain_ban(&x);
	explain_list(&x, GUARD_BLOCK_LIST);
	explain_limit(&x);
	json_object_set_new(c->answer, "verdict", json_string(x.verdict ? x.verdict : "passed"));
	json_object_set_new(c->answer, "mode", json_string(guard_mode_name(x.g->settings->mode)));
	return 0;
}

static const struct operation_argument explain_arguments[] = {
	{.name = "address",
	 .placeholder = "ADDRESS",
	 .help = "Of a source",
	 .type = ARGUMENT_NETWORK,
	 .required = true,
	 .positional = true},
};

GUARD_VIEW(explain, .path = "/v1/guard/explain", .command = "guard explain",
	   .summary = "What becomes of packets from an address, and why",
	   .examples = "  wiregauge guard explain 192.0.2.7", .arguments = explain_arguments,
	   .n_arguments = ARRAY_SIZE(explain_arguments), .run = run_explain);

/* ---- log ---- */

static int run_log(struct operation_call *c, struct error *e)
{
	static const struct operation_column columns[] = {
		{"time", NULL, "text", NULL, 5},    {"action", NULL, "text", NULL, 4},
		{"subject", NULL, "text", NULL, 3}, {"by", NULL, "text", NULL, 1},
		{"why", NULL, "text", NULL, 2},
	};
	uint64_t limit = operation_number_of(c, "limit", LOG_UNLESS_SAID);
	const struct guard *g = c->part;
	json_t *entries = guard_log_read(&g->log, limit);

	if (!entries)
		return error_set(e, -ENOMEM, "no memory for the log");
	c->answer = operation_table("What guard did and was told to do", "nothing has been logged",
				    columns, ARRAY_SIZE(columns));
	json_object_set_new(c->answer, "rows", entries);
	return 0;
}

static const struct operation_argument log_arguments[] = {
	{.name = "limit",
	 .placeholder = "ENTRIES",
	 .help = "The last so many; 50 unless said",
	 .type = ARGUMENT_NUMBER,
	 .max = LOG_MAX},
};

GUARD_VIEW(log, .path = "/v1/guard/log", .command = "guard log",
	   .summary = "What guard did and was told to do, by whom, and why",
	   .examples = "  wiregauge guard log --limit 200", .arguments = log_arguments,
	   .n_arguments = ARRAY_SIZE(log_arguments), .run = run_log);
