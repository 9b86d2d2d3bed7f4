// SPDX-License-Identifier: MIT
/* File systems of the kernel's own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "host/ability.h"
#include "kernel/bpffs.h"
#include "kernel/mounts.h"

static int try_bpffs(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	_cleanup_free_ char *where = NULL;
	int err = bpffs_find(false, &where, NULL);

	(void)env;
	if (err)
		return err;
	if (access(where, W_OK)) {
		finding_set(f, FINDING_DEGRADED, "%s cannot be written to: %s", where,
			    error_words(-errno));
		finding_advise(f, "run it as root");
		return 0;
	}
	finding_set(f, FINDING_OK, "%s: %s", a->purpose, where);
	return 0;
}

/* Where a file system of @type is of which @file can be read. */
static int find(const char *type, const char *file, const struct ability *a, struct finding *f)
{
	_cleanup_free_ char *where = NULL, *path = NULL;
	int err = mounts_find(type, &where);

	if (err)
		return err;
	if (asprintf(&path, "%s/%s", where, file) < 0)
		return -ENOMEM;
	if (access(path, R_OK)) {
		finding_set(f, FINDING_DEGRADED, "%s cannot be read: %s", where,
			    error_words(-errno));
		finding_advise(f, "run it as root");
		return 0;
	}
	finding_set(f, FINDING_OK, "%s: %s", a->purpose, where);
	return 0;
}

static int find_cgroup2(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	(void)env;
	return find("cgroup2", "cgroup.procs", a, f);
}

static int find_tracefs(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	(void)env;
	return find("tracefs", "events/sched", a, f);
}

static const struct ability rows[] = {
	{.id = "file_system.bpffs",
	 .name = "bpffs",
	 .purpose = "what outlives the daemon",
	 .loss = "not mounted: the daemon mounts it where it may, and else modules that act on "
		 "traffic end with it",
	 .remedy = "mount -t bpf bpffs /sys/fs/bpf",
	 .attempt = try_bpffs},
	{.id = "file_system.cgroup2",
	 .name = "cgroup2",
	 .purpose = "names of cgroups",
	 .loss = "not mounted: cgroups and containers have numbers instead of names, and programs "
		 "cannot be attached to them",
	 .remedy = "mount -t cgroup2 cgroup2 /sys/fs/cgroup",
	 .attempt = find_cgroup2},
	{.id = "file_system.tracefs",
	 .name = "tracefs",
	 .purpose = "programs of tp/ in your own configs",
	 .sections = "tp/ tracepoint/",
	 .loss = "not mounted: SEC(\"tp/…\") of your own configs cannot be attached, raw_tp/ and "
		 "tp_btf/ can",
	 .remedy = "mount -t tracefs tracefs /sys/kernel/tracing",
	 .attempt = find_tracefs},
};

ABILITIES(file_systems, FINDING_FILE_SYSTEMS, 300, rows);
