// SPDX-License-Identifier: MIT
#include "engine/persistence.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/builtin.h"
#include "engine/interface_ids.h"
#include "engine/placement.h"
#include "kernel/mapcopy.h"
#include "kernel/pins.h"

/* A map from before whose entries go into one of another size. */
struct former_map {
	struct map_info info; /* its descriptor is owned */
};

/* ---- names ---- */

bool plan_is_persistent(const struct plan *p)
{
	return p->modules[0].config->persistent;
}

static bool is_pinnable(const struct unit *u)
{
	return plan_is_persistent(u->plan) && u->env->pins;
}

static bool has_prefix(const char *map, const char *module)
{
	size_t len = strlen(module);

	return strncmp(map, module, len) == 0 && map[len] == '_';
}

/* Whose layout @map has; NULL when that is a stage that is switched off. */
static const struct module *owner_of(const struct plan *p, const char *map)
{
	const struct builtin_module *b;

	for (size_t i = 1; i < p->n_modules; i++) {
		if (has_prefix(map, p->modules[i].config->name))
			return &p->modules[i];
	}
	for (size_t i = 0; p->builtin && (b = builtin_at(i)); i++) {
		if (b->kind == BUILTIN_MODULE && has_prefix(map, b->name) &&
		    !STREQ(b->name, p->modules[0].config->name))
			return NULL;
	}
	return &p->modules[0];
}

/* RECORDS() of events.bpf.h makes three maps. */
static bool is_of_records(const char *map, const char *records)
{
	if (!has_prefix(map, records))
		return STREQ(map, records);
	map += strlen(records);
	return STREQ(map, "_wanted") || STREQ(map, "_lost");
}

/* What the daemon fills when it starts, or empties while it runs, is made anew. */
static bool is_the_daemons(const struct plan *p, const char *map)
{
	if (STREQ(map, INTERFACE_IDS_MAP))
		return true;
	for (size_t i = 0; i < p->n_modules; i++) {
		const struct config *c = p->modules[i].config;

		if (c->has_cgroup_map && STREQ(c->cgroup_map.name.text, map))
			return true;
		for (size_t k = 0; k < c->records.count; k++) {
			const char *records = c->records.items[k].map.text;

			if (is_of_records(map, records))
				return true;
		}
	}
	return false;
}

/* Descriptors of perf events go with the process; who reads a ring buffer anew begins anew. */
static bool is_kept(const struct plan *p, const struct map_info *map)
{
	return map->type != BPF_MAP_TYPE_PERF_EVENT_ARRAY && map->type != BPF_MAP_TYPE_RINGBUF &&
	       map->type != BPF_MAP_TYPE_STRUCT_OPS && !is_the_daemons(p, map->name) &&
	       owner_of(p, map->name);
}

bool persistence_add_map_name(const struct plan *p, const struct map_info *map, struct buf *name)
{
	if (!is_kept(p, map))
		return false;
	pins_add_part(name, p->name);
	buf_printf(name, "/%" PRIu32 "/maps/%s", owner_of(p, map->name)->config->layout, map->name);
	return true;
}

void persistence_add_link_name(const struct hook_request *r, const struct attachment *a,
			       struct buf *name)
{
	const struct unit *u = r->unit;
	const struct placement *p = r->placement;
	uint64_t netns = a->netns ? a->netns : links_own_netns(u->env->links);

	pins_add_part(name, u->plan->name);
	buf_printf(name, "/links/%s-%" PRIu64 "-%" PRIu32, attach_hook_name(p->row.hook), netns,
		   a->ifindex);
	if (!hook_get(p->row.hook)->exclusive)
		buf_printf(name, "-%s", u->programs[p->program].info.name);
}

void persistence_add_path(const struct unit *u, struct buf *text)
{
	if (!u->persistence.pinned)
		return;
	buf_printf(text, "%s/", pins_path(u->env->pins));
	pins_add_part(text, u->plan->name);
}

/* ---- maps ---- */

static void forget_former(struct persistence *p)
{
	for (size_t i = 0; i < p->n_former; i++)
		fd_close(p->former[i].info.fd);
	free(TAKE_PTR(p->former));
	p->n_former = 0;
}

void persistence_free(struct unit *u)
{
	forget_former(&u->persistence);
	strv_free(&u->persistence.held);
	free(TAKE_PTR(u->persistence.error));
}

/* The map of the unit before, if that has it in this layout. */
static int map_of_predecessor(const struct unit *u, const char *name, int *ret_fd)
{
	const struct unit *before = u->predecessor;
	const struct module *owner;
	struct map_info map;

	if (!before || !plan_is_persistent(before->plan) ||
	    object_find_map(before->object, name, &map))
		return -ENOENT;
	owner = owner_of(before->plan, name);
	if (!owner || owner->config->layout != owner_of(u->plan, name)->config->layout)
		return -ENOENT;
	*ret_fd = fcntl(map.fd, F_DUPFD_CLOEXEC, 0);
	return *ret_fd < 0 ? -errno : 0;
}

static int keep_former(struct persistence *p, const struct map_info *info)
{
	struct former_map *former = reallocarray(p->former, p->n_former + 1, sizeof(*former));

	if (!former)
		return -ENOMEM;
	p->former = former;
	former[p->n_former++].info = *info;
	return 0;
}

/* @fd, taken over, is the map from before. */
static int reuse(struct unit *u, const char *name, int fd, struct error *e)
{
	_cleanup_close_ int former = fd;
	struct map_info info;
	enum map_fit fit;
	int err = object_compare_map(u->object, name, former, &info, &fit);

	if (err)
		return error_set(e, err, "cannot look at the map '%s' from before: %s", name,
				 error_words(err));
	if (fit == MAP_FITS) {
		err = object_reuse_map(u->object, name, former, e);
		u->persistence.adopted |= !err;
		return err;
	}
	if (fit == MAP_OTHER_SIZE) {
		if (keep_former(&u->persistence, &info))
			return error_set(e, -ENOMEM, "no memory");
		(void)TAKE_FD(former);
		return 0;
	}
	log_warn("%s: map '%s' begins anew, and what was in it is lost: its entries had %u + %u "
		 "bytes, and have others now; `layout:` of the manifest should have changed",
		 u->plan->name, name, info.key_size, info.value_size);
	return 0;
}

/* @pin: the name that the pin of @map has. */
static int reuse_if_there(struct unit *u, const struct map_info *map, const char *pin,
			  struct error *e)
{
	struct error error;
	int fd, err = map_of_predecessor(u, map->name, &fd);

	if (err == -ENOENT && is_pinnable(u))
		err = pins_get(u->env->pins, pin, PIN_MAP, &fd, &error);
	if (!err)
		return reuse(u, map->name, fd, e);
	if (err == -EEXIST) {
		log_warn("%s: map '%s' begins anew: %s", u->plan->name, map->name, error.text);
		return 0;
	}
	return err == -ENOENT ? 0
			      : error_set(e, err, "cannot go on with the map '%s' from before: %s",
					  map->name, error_words(err));
}

int persistence_reuse_maps(struct unit *u, struct error *e)
{
	struct map_info map;
	int err = 0;

	if (!plan_is_persistent(u->plan))
		return 0;
	forget_former(&u->persistence);
	u->persistence.adopted = false;
	for (size_t i = 0; !err && object_map(u->object, i, &map); i++) {
		_cleanup_buf_ struct buf name = {0};

		if (persistence_add_map_name(u->plan, &map, &name))
			err = reuse_if_there(u, &map, buf_str(&name), e);
	}
	return err;
}

static void carry(const struct unit *u, const struct map_info *from)
{
	struct mapcopy_counts counts;
	struct map_info to;
	struct error error;
	int err = object_find_map(u->object, from->name, &to);

	if (!err)
		err = mapcopy(from, &to, &counts, &error);
	if (err)
		log_warn("%s: what was in map '%s' is lost, as it has room for %u entries now and "
			 "had for %u: %s",
			 u->plan->name, from->name, to.max_entries, from->max_entries, error.text);
	else if (counts.lost)
		log_warn("%s: map '%s' has room for %u entries now, and had for %u: %zu were kept, "
			 "%zu are lost",
			 u->plan->name, from->name, to.max_entries, from->max_entries,
			 counts.copied, counts.lost);
	else
		log_info("%s: map '%s' has room for %u entries now, and had for %u: all %zu were "
			 "kept",
			 u->plan->name, from->name, to.max_entries, from->max_entries,
			 counts.copied);
}

void persistence_carry_maps(struct unit *u)
{
	struct persistence *p = &u->persistence;

	for (size_t i = 0; i < p->n_former; i++)
		carry(u, &p->former[i].info);
	p->adopted |= p->n_former > 0;
	forget_former(p);
}

const char *persistence_error(const struct unit *u)
{
	if (u->persistence.error)
		return u->persistence.error;
	return u->persistence.pinned ? NULL : u->env->pins_error;
}

static void keep_error(struct unit *u, const struct error *why)
{
	free(u->persistence.error);
	u->persistence.error = strdup(why->text);
}

static int pin_map(const struct unit *u, const struct map_info *map, struct error *e)
{
	_cleanup_buf_ struct buf name = {0};

	if (!persistence_add_map_name(u->plan, map, &name))
		return 0;
	return pins_put(u->env->pins, buf_str(&name), PIN_MAP, map->fd, e);
}

/* Where something is in the way of one map, the others are pinned. */
static int pin_maps(struct unit *u)
{
	struct map_info map;

	for (size_t i = 0; object_map(u->object, i, &map); i++) {
		struct error error;
		int err = pin_map(u, &map, &error);

		if (!err)
			continue;
		keep_error(u, &error);
		if (err != -EEXIST) {
			log_warn("%s: it ends with the daemon, as it cannot be pinned: %s",
				 u->plan->name, error.text);
			return err;
		}
		log_warn("%s: the next start forgets map '%s', as it cannot be pinned: %s",
			 u->plan->name, map.name, error.text);
	}
	return 0;
}

void persistence_pin(struct unit *u)
{
	u->predecessor = NULL;
	if (!is_pinnable(u) || u->persistence.pinned)
		return;
	u->persistence.pinned = pin_maps(u) == 0;
	for (size_t i = 0; i < u->n_placements; i++) {
		struct placement *p = &u->placements[i];
		const struct hook_request r = {.unit = u, .placement = p};

		for (size_t k = 0; k < p->n_attachments; k++)
			persistence_pin_link(&r, &p->attachments[k]);
	}
}

/* ---- links ---- */

/* That this is so now will be so the next time; all else may pass, and then the program from before
 * stays where it is. */
static bool is_final(int code)
{
	return code == -EINVAL || code == -EOPNOTSUPP || code == -ENODEV || code == -ENOENT;
}

/* The next one needs its place right now: without pin and descriptors it goes a moment later. */
static void take_off(const struct hook_request *r, const struct attachment *a)
{
	struct error error;

	if (hook_get(r->placement->row.hook)->take_off(a, &error))
		log_warn("%s: %s: %s", r->unit->plan->name, r->link->name, error.text);
}

/* The program of @r is where @fd, which is taken over, has one, from now on. *ret_there: whether
 * that is at the interface. */
static int adopt(const struct hook_request *r, int fd, bool *ret_there, struct error *e)
{
	const struct hook *hook = hook_get(r->placement->row.hook);
	struct attachment a = attachment_at(r->link);
	_cleanup_close_ int held = fd;
	int err = hook->adopt(r, held, &a);

	*ret_there = !err;
	if (err)
		return error_set(e, err, "what is pinned is not there: %s", error_words(err));
	error_set(e, -EOPNOTSUPP, "it is attached in another way"); /* replace() does not say it */
	err = hook->replace(r, &a, e);
	if (is_final(err))
		take_off(r, &a);
	if (err)
		return err;
	(void)TAKE_FD(held);
	a.pinned = true;
	a.adopted = true;
	return placement_add(r, &a, r->link->name, e);
}

/* A link whose interface went while no daemon ran holds nothing. */
static int make_room(const struct hook_request *r, const char *name, bool is_there,
		     const struct error *why, struct error *e)
{
	struct pins_removed removed = {0};

	log_write(is_there ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG,
		  "%s: %s: the program from before is taken away, and the new one attached after "
		  "that: %s",
		  r->unit->plan->name, r->link->name, why->text);
	return pins_remove(r->unit->env->pins, name, &removed, e);
}

/* A link, or the map that stands for one. */
static int open_pin(const struct hook_request *r, const char *name, int *ret_fd, struct error *e)
{
	const struct pins *pins = r->unit->env->pins;
	int err = pins_get(pins, name, PIN_LINK, ret_fd, e);

	return err == -EEXIST ? pins_get(pins, name, PIN_MAP, ret_fd, e) : err;
}

int persistence_adopt_link(const struct hook_request *r, struct error *e)
{
	const struct attachment at = attachment_at(r->link);
	_cleanup_buf_ struct buf name = {0};
	struct error why;
	bool is_there;
	int fd, err;

	if (!is_pinnable(r->unit) || !hook_get(r->placement->row.hook)->adopt)
		return 0;
	persistence_add_link_name(r, &at, &name);
	err = open_pin(r, buf_str(&name), &fd, e);
	if (err)
		return err == -ENOENT || err == -EEXIST ? 0 : err;
	err = adopt(r, fd, &is_there, &why);
	if (!err)
		return 1;
	if (is_final(err))
		return make_room(r, buf_str(&name), is_there, &why, e);
	*e = why;
	return err;
}

void persistence_pin_link(const struct hook_request *r, struct attachment *a)
{
	const struct hook *hook = hook_get(r->placement->row.hook);
	_cleanup_buf_ struct buf name = {0};
	enum pin_kind kind;
	struct error error;
	int fd;

	if (!r->unit->persistence.pinned || a->pinned || !hook->adopt)
		return;
	fd = hook->pin_fd(a, &kind);
	persistence_add_link_name(r, a, &name);
	if (pins_put(r->unit->env->pins, buf_str(&name), kind, fd, &error))
		log_warn("%s: %s: it ends with the daemon, as it cannot be pinned: %s",
			 r->unit->plan->name, a->where, error.text);
	else
		a->pinned = true;
}

void persistence_hold_link(const struct hook_request *r)
{
	const struct attachment at = attachment_at(r->link);
	_cleanup_buf_ struct buf name = {0};

	if (!is_pinnable(r->unit) || !hook_get(r->placement->row.hook)->adopt)
		return;
	persistence_add_link_name(r, &at, &name);
	if (strv_add(&r->unit->persistence.held, buf_str(&name), name.len))
		log_warn("%s: %s: no memory", r->unit->plan->name, r->link->name);
}

void persistence_unpin_link(const struct hook_request *r, struct attachment *a)
{
	struct pins_removed removed = {0};
	_cleanup_buf_ struct buf name = {0};
	struct error error;

	if (!a->pinned || a->stays || !r->unit->env->pins)
		return;
	a->pinned = false;
	persistence_add_link_name(r, a, &name);
	if (pins_remove(r->unit->env->pins, buf_str(&name), &removed, &error))
		log_warn("%s: %s: %s", r->unit->plan->name, a->where, error.text);
}

/* ---- a unit's end ---- */

static size_t count_pinned(const struct unit *u)
{
	size_t n = 0;

	for (size_t i = 0; i < u->n_placements; i++) {
		for (size_t k = 0; k < u->placements[i].n_attachments; k++)
			n += u->placements[i].attachments[k].pinned;
	}
	return n;
}

void persistence_leave(struct unit *u)
{
	size_t n = count_pinned(u);

	if (!u->persistence.pinned)
		return;
	log_info("%s: goes on without the daemon at %zu interface%s, until the next one takes it "
		 "over, or: wiregauge cleanup",
		 u->plan->name, n, n == 1 ? "" : "s");
	for (size_t i = 0; i < u->n_placements; i++) {
		struct placement *p = &u->placements[i];

		for (size_t k = 0; k < p->n_attachments; k++)
			p->attachments[k].stays = p->attachments[k].pinned;
	}
}

void persistence_leave_or_remove(struct unit *u)
{
	_cleanup_buf_ struct buf name = {0};

	if (u->persistence.adopted) {
		persistence_leave(u);
	} else if (u->persistence.pinned) {
		pins_add_part(&name, u->plan->name);
		persistence_remove(u->env->pins, buf_str(&name), "the start failed");
	}
}
