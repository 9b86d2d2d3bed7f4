// SPDX-License-Identifier: MIT
/* What was commanded, or stands in a file by now, and what is configured: for wiregauge config
 * diff. Bans are left out: they end by themselves. */
#include <string.h>

#include "guard_amount.h"
#include "guard_change.h"
#include "guard_map.h"
#include "guard_state.h"

enum { TOLD = 1000 }; /* networks, one by one; the others are counted */

struct diff {
	struct guard *g;
	difference_fn add;
	void *ctx;
	size_t networks;
};

static void tell(const struct diff *d, const char *what, const char *declared, const char *running)
{
	const struct difference difference = {
		.module = "guard",
		.what = what,
		.declared = declared,
		.running = running,
	};

	d->add(d->ctx, &difference);
}

static void diff_mode(const struct diff *d, const struct guard_options *declared)
{
	uint8_t mode = d->g->settings->mode;

	if (mode != declared->mode)
		tell(d, "mode", guard_mode_name(declared->mode), guard_mode_name(mode));
}

/* ---- lists ---- */

static uint8_t by_of(const struct guard_items *items, const struct guard_prefix *p, int list)
{
	const struct guard_item *item = guard_list_find(items, p);

	return item ? item->by[list] & (GUARD_BY_DECLARED | GUARD_BY_RUNTIME) : 0;
}

static void tell_network(struct diff *d, const struct guard_prefix *p, int list,
			 const char *declared, const char *running)
{
	_cleanup_buf_ struct buf what = {0};

	if (d->networks++ >= TOLD)
		return;
	buf_printf(&what, "%s ", guard_list_name(list));
	guard_prefix_add_text(p, &what);
	tell(d, buf_str(&what), declared, running);
}

static void diff_running(struct diff *d, const struct guard_items *running,
			 const struct guard_items *declared)
{
	for (size_t i = 0; i < running->count; i++) {
		const struct guard_prefix *p = &running->items[i].prefix;

		for (int list = 0; list < GUARD_LISTS; list++) {
			uint8_t by = by_of(running, p, list);

			if (by && !by_of(declared, p, list))
				tell_network(d, p, list, NULL,
					     by & GUARD_BY_RUNTIME ? "by command"
								   : "by configuration");
		}
	}
}

static void diff_declared(struct diff *d, const struct guard_items *running,
			  const struct guard_items *declared)
{
	for (size_t i = 0; i < declared->count; i++) {
		const struct guard_prefix *p = &declared->items[i].prefix;

		for (int list = 0; list < GUARD_LISTS; list++) {
			if (by_of(declared, p, list) && !by_of(running, p, list))
				tell_network(d, p, list, "by configuration", NULL);
		}
	}
}

static int diff_lists(struct diff *d, const struct guard_options *options, struct error *e)
{
	_cleanup_guard_items_ struct guard_items running = {0}, declared = {0};
	struct guard_mistakes mistakes = {0};
	char more[64];
	int err = guard_read_declared(options, &declared, &mistakes, e);

	buf_free(&mistakes.lines);
	if (!err)
		err = guard_set_read(&d->g->set, &running, e);
	if (err)
		return err;
	diff_running(d, &running, &declared);
	diff_declared(d, &running, &declared);
	if (d->networks > TOLD) {
		snprintf(more, sizeof(more), "%zu more networks", d->networks - TOLD);
		tell(d, more, NULL, NULL);
	}
	return 0;
}

/* ---- limits ---- */

static const struct guard_amount *declared_for(const struct guard_options *o,
					       const struct guard_target *t)
{
	for (size_t i = 0; i < o->n_limits; i++) {
		if (memcmp(&o->limits[i].target, t, sizeof(*t)) == 0)
			return &o->limits[i].amount;
	}
	return NULL;
}

struct limit_diff {
	const struct diff *diff;
	const struct guard_options *options;
};

/* What is configured otherwise by now is an option, which is compared already. */
static int diff_limit(void *ctx, const void *key, const void *value)
{
	_cleanup_buf_ struct buf what = {0}, declared = {0}, running = {0};
	const struct guard_amount *amount;
	const struct limit_diff *l = ctx;
	struct guard_limit_book book;
	struct guard_target target;

	memcpy(&target, key, sizeof(target));
	memcpy(&book, value, sizeof(book));
	amount = declared_for(l->options, &target);
	if ((!book.runtime.bits && !book.runtime.packets) ||
	    (amount && memcmp(amount, &book.runtime, sizeof(*amount)) == 0))
		return 0;
	buf_add_str(&what, "limit ");
	guard_target_add_text(&target, &what);
	guard_amount_add_text(&book.runtime, &running);
	if (amount)
		guard_amount_add_text(amount, &declared);
	tell(l->diff, buf_str(&what), amount ? buf_str(&declared) : NULL, buf_str(&running));
	return 0;
}

void guard_diff(void *state, const struct module *declared, difference_fn add, void *ctx)
{
	struct diff d = {.g = state, .add = add, .ctx = ctx};
	struct guard_options options = {0};
	struct limit_diff l = {.diff = &d, .options = &options};
	struct error error;
	int err = guard_options_read(declared, &options, &error);

	if (!err)
		diff_mode(&d, &options);
	if (!err)
		err = diff_lists(&d, &options, &error);
	if (!err)
		err = guard_map_each(&d.g->limits.books, diff_limit, &l, &error);
	if (err)
		tell(&d, error.text, NULL, NULL);
	guard_options_free(&options);
}
