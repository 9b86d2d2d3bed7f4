// SPDX-License-Identifier: MIT
#include "engine/deferred.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>

#include "base/log.h"
#include "engine/placement.h"

static void close_object(struct object **o)
{
	object_close(*o);
}

void deferred_choose(struct unit *u)
{
	for (size_t i = 0; i < u->n_programs; i++) {
		struct unit_program *p = &u->programs[i];

		p->deferred = u->env->defer && !u->env->strict && !p->probe && !p->error &&
			      program_is_for_headerless(u, i) && !program_has_interface(u, i);
	}
}

static int choose_waiting(const struct unit *u, struct object *o)
{
	int err = 0;

	for (size_t i = 0; !err && i < u->n_programs; i++)
		err = object_set_autoload(o, u->programs[i].info.name, u->programs[i].deferred);
	return err;
}

/* The program outlives the object that it was loaded with, whose maps are the unit's. */
static int take_program(struct unit_program *p, const struct object *o, size_t index)
{
	struct program_info info;
	int fd;

	object_program(o, index, &info);
	fd = fcntl(info.fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	info.name = p->info.name;
	info.section = p->info.section;
	info.fd = fd;
	p->info = info;
	return 0;
}

static void give_back(struct unit_program *p)
{
	fd_close(p->info.fd);
	p->info.fd = -1;
	p->info.id = 0;
	p->info.loaded = false;
}

static int take_programs(struct unit *u, const struct object *o)
{
	int err = 0;

	for (size_t i = 0; !err && i < u->n_programs; i++) {
		if (u->programs[i].deferred)
			err = take_program(&u->programs[i], o, i);
	}
	if (err)
		deferred_unload(u);
	return err;
}

static int load_waiting(struct unit *u, struct error *e)
{
	_cleanup_(close_object) struct object *o = NULL;
	const struct plan *p = u->plan;
	int err = object_open(p->name, p->object, p->object_len, u->env->btf_path, &o, e);

	if (!err)
		err = object_share_maps(o, u->object, e);
	if (!err && (err = choose_waiting(u, o)))
		return error_set(e, err, "cannot load '%s': %s", p->name, error_words(err));
	if (!err)
		err = object_load(o, e);
	if (!err && (err = take_programs(u, o)))
		return error_set(e, err, "cannot load '%s': %s", p->name, error_words(err));
	return err;
}

int deferred_load(struct unit *u, size_t index, struct error *e)
{
	int err;

	if (!u->programs[index].deferred || u->programs[index].info.loaded)
		return 0;
	log_debug("%s: the first device without a link layer: program '%s' is loaded",
		  u->plan->name, u->programs[index].info.name);
	err = load_waiting(u, e);
	malloc_trim(0); /* as after the start */
	return err;
}

void deferred_unload(struct unit *u)
{
	for (size_t i = 0; i < u->n_programs; i++) {
		if (u->programs[i].deferred && u->programs[i].info.loaded)
			give_back(&u->programs[i]);
	}
}
