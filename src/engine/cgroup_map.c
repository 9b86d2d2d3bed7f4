// SPDX-License-Identifier: MIT
#include "engine/cgroup_map.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "decode/patterns.h"
#include "kernel/compat.h"
#include "kernel/mapwrite.h"

struct cgroup_map {
	const struct cgroup_map_config *config;
	int fd; /* the object's */
	struct patterns patterns;
	uint64_t failure_logged; /* log_due() */
};

static const struct {
	const char *name;
	uint32_t map_types[2]; /* enum bpf_map_type */
	const char *keys;
	uint32_t key_size;
} kinds[] = {
	[CGROUP_MAP_HASH] = {"hash",
			     {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_LRU_HASH},
			     "8 bytes (the cgroup's id)",
			     sizeof(uint64_t)},
	/* The key is what bpf(2) takes; the programs ask by struct cgroup. */
	[CGROUP_MAP_STORAGE] = {"cgrp_storage",
				{COMPAT_BPF_MAP_TYPE_CGRP_STORAGE,
				 COMPAT_BPF_MAP_TYPE_CGRP_STORAGE},
				"4 bytes",
				sizeof(uint32_t)},
};

static int check_map(const struct cgroup_map_config *m, const struct map_info *map,
		     const struct source *source, struct report *report)
{
	if (map->type != kinds[m->type].map_types[0] && map->type != kinds[m->type].map_types[1])
		return report_error(report, source, m->name.place,
				    "map '%s' is not of the type that `type: %s` means", map->name,
				    kinds[m->type].name);
	if (map->key_size != kinds[m->type].key_size || map->value_size != sizeof(uint64_t))
		return report_error(
			report, source, m->name.place,
			"map '%s' has keys of %u and values of %u bytes, but `type: %s` "
			"means keys of %s and values of 8",
			map->name, map->key_size, map->value_size, kinds[m->type].name,
			kinds[m->type].keys);
	return 0;
}

static int find_map(const struct config *c, const struct object *o, struct report *report,
		    struct map_info *ret)
{
	if (object_find_map(o, c->cgroup_map.name.text, ret))
		return unit_report_missing_map(o, c, &c->cgroup_map.name, report);
	return check_map(&c->cgroup_map, ret, &c->source, report);
}

int cgroup_map_check(const struct config *c, const struct object *o, struct report *report)
{
	struct patterns patterns = {0};
	struct map_info map;
	int err, failed;

	if (!c->has_cgroup_map)
		return 0;
	err = o ? find_map(c, o, report, &map) : 0;
	failed = patterns_compile(&c->cgroup_map.regexps, &c->source, report, &patterns);
	patterns_free(&patterns);
	return err ? err : failed;
}

/* ---- making them ---- */

static int build(struct unit *u, const struct config *c, struct report *report)
{
	struct cgroup_map *m = &u->cgroup_maps[u->n_cgroup_maps++];
	struct map_info map;
	struct error error;
	int err;

	m->config = &c->cgroup_map;
	m->fd = -1;
	err = patterns_compile(&m->config->regexps, &c->source, report, &m->patterns);
	if (err)
		return err;
	err = find_map(c, u->object, report, &map);
	if (err)
		return err;
	m->fd = map.fd;
	if (cgroups_start(u->env->decode.cgroups, &error))
		return report_error(report, &c->source, m->config->place, "%s", error.text);
	return 0;
}

int cgroup_maps_build(struct unit *u, struct report *report)
{
	int err = 0;

	u->cgroup_maps = calloc(MAX(u->plan->n_modules, (size_t)1), sizeof(*u->cgroup_maps));
	if (!u->cgroup_maps)
		return -ENOMEM;
	for (size_t i = 0; i < u->plan->n_modules; i++) {
		const struct config *c = u->plan->modules[i].config;
		int failed = c->has_cgroup_map ? build(u, c, report) : 0;

		if (failed)
			err = failed;
	}
	return err;
}

void cgroup_maps_free(struct unit *u)
{
	for (size_t i = 0; i < u->n_cgroup_maps; i++)
		patterns_free(&u->cgroup_maps[i].patterns);
	free(u->cgroup_maps);
	u->cgroup_maps = NULL;
	u->n_cgroup_maps = 0;
}

/* ---- following ---- */

static bool matches(const struct patterns *p, const char *path)
{
	struct regex_span ignored;

	for (size_t i = 0; i < p->count; i++) {
		if (regex_match(p->items[i], path, strlen(path), 0, &ignored) > 0)
			return true;
	}
	return false;
}

/* The storage of a cgroup is named by a descriptor of it, and goes with it. */
static int put_into_storage(const struct cgroup_map *m, const struct cgroup_info *group)
{
	const uint64_t one = 1;
	_cleanup_close_ int fd = open(group->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : mapwrite_put(m->fd, &fd, &one);
}

static int change(const struct cgroup_map *m, enum cgroup_event event,
		  const struct cgroup_info *group)
{
	const uint64_t one = 1;

	if (m->config->type == CGROUP_MAP_STORAGE)
		return event == CGROUP_ADDED ? put_into_storage(m, group) : 0;
	return event == CGROUP_ADDED ? mapwrite_put(m->fd, &group->id, &one)
				     : mapwrite_remove(m->fd, &group->id);
}

void unit_cgroup_event(struct unit *u, enum cgroup_event event, const struct cgroup_info *group)
{
	for (size_t i = 0; i < u->n_cgroup_maps; i++) {
		struct cgroup_map *m = &u->cgroup_maps[i];
		int err = matches(&m->patterns, group->path) ? change(m, event, group) : 0;

		/* -ENOENT: it went again before we got there, or a program has removed it */
		if (err && err != -ENOENT && log_due(&m->failure_logged))
			log_warn("%s: cannot enter cgroup '%s' into map '%s': %s", u->plan->name,
				 group->path, m->config->name.text, strerror(-err));
	}
}

static void on_present(void *ctx, enum cgroup_event event, const struct cgroup_info *group)
{
	unit_cgroup_event(ctx, event, group);
}

void cgroup_maps_fill(struct unit *u)
{
	if (u->n_cgroup_maps)
		cgroups_each(u->env->decode.cgroups, on_present, u);
}
