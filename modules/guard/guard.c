// SPDX-License-Identifier: MIT
/* The part of guard in user space: start, tick, stop. guard_state.h says what is where. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "guard_bans.h"
#include "guard_confirm.h"
#include "guard_state.h"
#include "kernel/mapwrite.h"

#define TICK_NS    NSEC_PER_SEC /* of the heartbeat */
#define PROTECT_NS (10 * NSEC_PER_SEC)
#define SWEEP_NS   NSEC_PER_SEC

/* ---- lists ---- */

static int add_texts(struct guard_items *items, const struct strv *texts, int list)
{
	int err = 0;

	for (size_t i = 0; !err && texts && i < texts->count; i++) {
		struct guard_prefix p;

		if (guard_prefix_parse(texts->items[i], &p)) /* checked by guard_options_read() */
			err = guard_list_add(items, &p, list, GUARD_BY_DECLARED);
	}
	return err;
}

static int read_list(const struct guard_options *o, int list, struct guard_items *ret,
		     struct guard_mistakes *mistakes, struct error *e)
{
	const struct strv *files = o->files[list];
	int err = add_texts(ret, o->lists[list], list);

	if (err)
		return error_set(e, err, "no memory for the lists");
	for (size_t i = 0; !err && files && i < files->count; i++)
		err = guard_list_read_file(ret, files->items[i], list, mistakes, e);
	return err;
}

int guard_read_declared(const struct guard_options *o, struct guard_items *ret,
			struct guard_mistakes *mistakes, struct error *e)
{
	int err = 0;

	for (int list = 0; !err && list < GUARD_LISTS; list++)
		err = read_list(o, list, ret, mistakes, e);
	if (!err)
		guard_list_settle(ret);
	return err;
}

/* What is not declared of @items, added to @all. */
static int keep_others(const struct guard_items *items, struct guard_items *all)
{
	int err = 0;

	for (size_t i = 0; !err && i < items->count; i++) {
		for (int list = 0; !err && list < GUARD_LISTS; list++) {
			uint8_t by = items->items[i].by[list] & (uint8_t)~GUARD_BY_DECLARED;

			if (by)
				err = guard_list_add(all, &items->items[i].prefix, list, by);
		}
	}
	return err;
}

static int copy_items(const struct guard_items *from, struct guard_items *to)
{
	if (!from->count)
		return 0;
	to->items = calloc(from->count, sizeof(*to->items));
	if (!to->items)
		return -ENOMEM;
	memcpy(to->items, from->items, from->count * sizeof(*to->items));
	to->count = to->cap = from->count;
	return 0;
}

int guard_take_declared(struct guard *g, const struct guard_items *declared, struct error *e)
{
	_cleanup_guard_items_ struct guard_items there = {0}, all = {0};
	int err = guard_set_read(&g->set, &there, e);

	if (err)
		return err;
	err = copy_items(declared, &all);
	if (!err)
		err = keep_others(&there, &all);
	if (err)
		return error_set(e, err, "no memory for the lists");
	guard_list_settle(&all);
	return guard_set_build(&g->set, &all, e);
}

static int read_lists_at_start(struct guard *g, struct error *e)
{
	struct guard_mistakes mistakes = {0};
	int err = guard_read_declared(&g->options, &g->declared, &mistakes, e);

	g->list_mistakes = mistakes.count;
	if (!err && mistakes.count)
		log_warn("guard: %zu lines of lists are left out, the first of them:\n%s",
			 mistakes.count, buf_str(&mistakes.lines));
	buf_free(&mistakes.lines);
	return err;
}

/* ---- who is protected ---- */

/* Whether packets from @p would be dropped for a reason that nobody insisted on. */
static bool needs_shield(const struct guard *g, const struct guard_protected *p)
{
	uint8_t blocked;

	if (p->kind == GUARD_PROTECTED_OPTION)
		return true;
	if (p->prefix.prefixlen != GUARD_ADDRESS_BITS)
		return false;
	blocked = guard_set_blocked_by(&g->set, &p->prefix);
	return blocked && !(blocked & GUARD_BY_FORCE);
}

static int find_shielded(const struct guard *g, struct guard_items *ret)
{
	int err = 0;

	for (size_t i = 0; !err && i < g->protected.count; i++) {
		if (needs_shield(g, &g->protected.items[i]))
			err = guard_list_add(ret, &g->protected.items[i].prefix, GUARD_ALLOW_LIST,
					     GUARD_BY_PROTECTION);
	}
	guard_list_settle(ret);
	return err;
}

static int set_shield(struct guard *g, const struct guard_prefix *p, bool on, struct error *e)
{
	char text[GUARD_PREFIX_TEXT];
	struct guard_item item;
	int err = guard_set_get(&g->set, p, &item);

	if (err)
		return error_set(e, err, "cannot read the lists: %s", error_words(err));
	if (on)
		item.by[GUARD_ALLOW_LIST] |= GUARD_BY_PROTECTION;
	else
		item.by[GUARD_ALLOW_LIST] &= (uint8_t)~GUARD_BY_PROTECTION;
	err = guard_set_put(&g->set, &item, e);
	guard_prefix_print(p, text);
	if (!err)
		guard_log_write(&g->log, on ? "protect" : "protect no more", text, "guard",
				on ? "a list blocks it, and it is protected"
				   : "it is not blocked, or not protected any more");
	return err;
}

/* What is in @from and not in @in is switched @on. */
static int shift_shields(struct guard *g, const struct guard_items *from,
			 const struct guard_items *in, bool on, struct error *e)
{
	int err = 0;

	for (size_t i = 0; !err && i < from->count; i++) {
		if (!guard_list_find(in, &from->items[i].prefix))
			err = set_shield(g, &from->items[i].prefix, on, e);
	}
	return err;
}

static int look_up_protected(struct guard *g, struct error *e)
{
	const struct guard_protect_options o = {
		.networks = g->options.protect,
		.ssh_ports = g->options.ssh_ports,
		.root = "",
	};

	guard_protected_free(&g->protected);
	g->protected_ns = clock_monotonic_ns();
	if (guard_protect_gather(&o, &g->protected))
		return error_set(e, -ENOMEM, "no memory for who is protected");
	return 0;
}

int guard_protect_now(struct guard *g, struct error *e)
{
	_cleanup_guard_items_ struct guard_items wanted = {0};
	int err = look_up_protected(g, e);

	if (err)
		return err;
	if (find_shielded(g, &wanted))
		return error_set(e, -ENOMEM, "no memory for who is protected");
	err = shift_shields(g, &wanted, &g->shielded, true, e);
	if (!err)
		err = shift_shields(g, &g->shielded, &wanted, false, e);
	if (err)
		return err;
	guard_list_free(&g->shielded);
	g->shielded = wanted;
	wanted = (struct guard_items){0};
	return 0;
}

/* Those of an earlier daemon: what of them is not wanted any more goes. */
static int find_shields_left(struct guard *g, const struct guard_items *items)
{
	int err = 0;

	for (size_t i = 0; !err && i < items->count; i++) {
		if (items->items[i].by[GUARD_ALLOW_LIST] & GUARD_BY_PROTECTION)
			err = guard_list_add(&g->shielded, &items->items[i].prefix,
					     GUARD_ALLOW_LIST, GUARD_BY_PROTECTION);
	}
	guard_list_settle(&g->shielded);
	return err;
}

/* ---- what is configured comes into force ---- */

static void read_memory(const struct guard *g, struct guard_memory *ret)
{
	const uint32_t first = 0;

	if (mapwrite_get(g->memory.fd, &first, ret))
		*ret = (struct guard_memory){0};
}

/* The mode that was commanded stays until another one is configured. */
static void apply_mode(struct guard *g, struct guard_memory *memory)
{
	if (!memory->started || memory->declared_mode != g->options.mode)
		g->settings->mode = g->options.mode;
	memory->declared_mode = g->options.mode;
}

static int take_up_lists(struct guard *g, struct error *e)
{
	_cleanup_guard_items_ struct guard_items items = {0};
	int err = guard_set_adopt(&g->set, e);

	if (!err)
		err = guard_set_read(&g->set, &items, e);
	if (!err && find_shields_left(g, &items))
		err = error_set(e, -ENOMEM, "no memory for the lists");
	return err;
}

static int count_ban(void *ctx, const struct guard_prefix *network, const struct guard_ban *ban)
{
	(void)network;
	(void)ban;
	++*(size_t *)ctx;
	return 0;
}

static int take_up_bans(struct guard *g, struct error *e)
{
	int err = guard_bans_each(g, count_ban, &g->n_bans, e);

	guard_settings_set_flag(g->settings, GUARD_BANS, g->n_bans || g->options.simple);
	return err;
}

static int apply(struct guard *g, struct error *e)
{
	struct guard_memory memory;
	const uint32_t first = 0;
	int err = 0;

	read_memory(g, &memory);
	if (!g->settings->generation)
		guard_settings_renew(g->settings);
	guard_options_apply(&g->options, g->settings);
	if (memory.started)
		err = take_up_lists(g, e);
	if (!err)
		err = guard_take_declared(g, &g->declared, e);
	if (!err)
		err = guard_limits_apply(&g->limits, &g->options, e);
	if (!err)
		err = take_up_bans(g, e);
	if (!err)
		err = guard_protect_now(g, e);
	if (!err && guard_detect_reset(g))
		err = error_set(e, -EIO, "cannot begin to look for floods");
	if (err)
		return err;
	guard_list_free(&g->declared);
	apply_mode(g, &memory);
	memory.started = 1;
	err = mapwrite_put(g->memory.fd, &first, &memory);
	return err ? error_set(e, err, "cannot keep that it has started: %s", error_words(err)) : 0;
}

/* ---- ticks ---- */

static void put_entries(const struct guard *g)
{
	for (uint32_t i = 0; i < GUARD_LISTS * GUARD_ENTRY_KINDS; i++) {
		uint64_t count = g->set.slot.by[i / GUARD_ENTRY_KINDS][i % GUARD_ENTRY_KINDS];

		(void)mapwrite_put(g->entries.fd, &i, &count);
	}
}

static uint64_t count_pending(const struct guard *g)
{
	struct guard_pending p;
	uint64_t count = 0;

	for (uint32_t i = 0; guard_confirm_at(g, i, &p); i++)
		count += p.id != 0;
	return count;
}

static void put_gauges(const struct guard *g)
{
	const struct guard_gauges gauges = {
		.enforcing = g->settings->mode == GUARD_ENFORCE,
		.bans = g->n_bans,
		.limits = guard_limits_count(&g->limits),
		.pending = count_pending(g),
		.protected_addresses = g->protected.count,
		.list_mistakes = g->list_mistakes,
		.defended = g->detect.defended,
	};
	const uint32_t first = 0;

	(void)mapwrite_put(g->gauges.fd, &first, &gauges);
	put_entries(g);
}

static void complain(int err, const struct error *error)
{
	if (err)
		log_warn("guard: %s", error->text);
}

/* What is due now and then. */
static void look_after(struct guard *g, uint64_t now)
{
	struct error error;

	if (now - g->protected_ns >= PROTECT_NS)
		complain(guard_protect_now(g, &error), &error);
	complain(guard_detect_tick(g, now, &error), &error);
	if ((g->n_bans || g->options.simple) && now - g->swept_ns >= SWEEP_NS)
		complain(guard_bans_sweep(g, &error), &error);
}

static void set_timer(const struct guard *g, uint64_t at_ns)
{
	const struct itimerspec at = {.it_value = {.tv_sec = (time_t)(at_ns / NSEC_PER_SEC),
						   .tv_nsec = (long)(at_ns % NSEC_PER_SEC)}};

	(void)timerfd_settime(g->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

void guard_tick(struct guard *g)
{
	uint64_t now = clock_monotonic_ns(), next;

	guard_settings_beat(g->settings);
	next = guard_confirm_tick(g, now);
	look_after(g, now);
	put_gauges(g);
	set_timer(g, MIN(next, now + TICK_NS));
}

/*
 * The first tick comes once the unit runs, on a reload in the place of the one before: both have
 * the same maps, and had it failed in between, that one would go on with them. What was applied at
 * once is a first start's, and is pinned by now.
 */
static void settle(struct guard *g)
{
	struct error error;

	g->settled = true;
	if (!g->to_apply)
		guard_set_keep(&g->set);
	else if (apply(g, &error))
		log_error("guard: what is configured is not in force: %s", error.text);
}

static void ready(void *state)
{
	struct guard *g = state;
	uint64_t ticks;

	if (read(g->timer_fd, &ticks, sizeof(ticks)) < 0 && errno == EAGAIN)
		return;
	if (!g->settled)
		settle(g);
	guard_tick(g);
}

/* In the scraper's thread: touches nothing but what the kernel has. */
static int fill(void *state, struct error *e)
{
	const struct guard *g = state;
	uint64_t last = __atomic_load_n(&g->settings->heartbeat_ns, __ATOMIC_RELAXED);
	uint64_t now = clock_monotonic_ns(), age = now > last ? (now - last) / NSEC_PER_SEC : 0;
	const uint32_t first = 0;
	int err = mapwrite_put(g->heartbeat.fd, &first, &age);

	return err ? error_set(e, err, "cannot tell the heartbeat: %s", error_words(err)) : 0;
}

/* ---- start and stop ---- */

static int map_settings(struct guard *g, const struct object *o, struct error *e)
{
	struct map_info map;
	void *at;

	if (object_find_map(o, "guard_settings", &map))
		return error_set(e, -ENOENT, "the object has not the maps of guard.h");
	at = mmap(NULL, sizeof(*g->settings), PROT_READ | PROT_WRITE, MAP_SHARED, map.fd, 0);
	if (at == MAP_FAILED)
		return error_set(e, -errno, "cannot map the settings: %s", error_words(-errno));
	g->settings = at;
	return 0;
}

static int find_maps(struct guard *g, const struct object *o, struct error *e)
{
	const struct {
		const char *name;
		struct map_info *to;
	} maps[] = {
		{"guard_bans", &g->bans},       {"guard_pending", &g->pending},
		{"guard_memory", &g->memory},   {"guard_gauges", &g->gauges},
		{"guard_entries", &g->entries}, {"guard_heartbeat", &g->heartbeat},
	};

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		if (object_find_map(o, maps[i].name, maps[i].to))
			return error_set(e, -ENOENT, "the object has no map '%s'", maps[i].name);
	}
	return 0;
}

static int open_kernel(struct guard *g, const struct part_context *c, struct error *e)
{
	const struct object *o = c->object;
	int err = find_maps(g, o, e);

	if (!err)
		err = map_settings(g, o, e);
	if (!err)
		err = guard_set_open(&g->set, c->unit, o, g->settings, e);
	if (!err)
		err = guard_limits_open(&g->limits, o, g->settings, e);
	if (!err)
		err = guard_detect_open(g, o, e);
	return err;
}

static int open_timer(struct guard *g, struct error *e)
{
	g->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (g->timer_fd < 0)
		return error_set(e, -errno, "cannot make a timer: %s", error_words(-errno));
	set_timer(g, 1);
	return 0;
}

static void stop(void *state)
{
	struct guard *g = state;

	if (g->settings) {
		guard_set_close(&g->set);
		munmap(g->settings, sizeof(*g->settings));
	}
	fd_close(g->timer_fd);
	guard_detect_close(&g->detect);
	guard_log_close(&g->log);
	guard_list_free(&g->declared);
	guard_list_free(&g->shielded);
	guard_protected_free(&g->protected);
	guard_options_free(&g->options);
}

static int start_parts(struct guard *g, const struct part_context *c, struct error *e)
{
	struct guard_memory memory;
	int err = guard_options_read(c->module, &g->options, e);

	if (!err)
		err = open_kernel(g, c, e);
	if (!err && guard_log_open(&g->log, g->options.log_file, g->options.log_size))
		err = error_set(e, -ENOMEM, "no memory");
	if (!err)
		err = read_lists_at_start(g, e);
	if (!err)
		err = open_timer(g, e);
	if (err)
		return err;
	read_memory(g, &memory);
	g->to_apply = memory.started;
	return g->to_apply ? 0 : apply(g, e);
}

static int start(const struct part_context *c, void *state, int *ret_fd, struct error *e)
{
	struct guard *g = state;
	int err;

	g->timer_fd = -1;
	err = start_parts(g, c, e);
	if (err) {
		stop(g);
		return err;
	}
	*ret_fd = g->timer_fd;
	return 0;
}

MODULE_PART(guard, .state_size = sizeof(struct guard), .makes_maps = true, .start = start,
	    .ready = ready, .fill = fill, .diff = guard_diff, .stop = stop);
