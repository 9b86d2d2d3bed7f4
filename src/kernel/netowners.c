// SPDX-License-Identifier: MIT
#include "kernel/netowners.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "kernel/inode_names.h"

enum { MISSED_S = 1, AGED_S = 10, LONGEST_GROUP = 8192 };

struct netowners {
	pthread_mutex_t lock;
	struct inode_names owners;
	bool wanted;      /* somebody has asked since the start */
	bool missed;      /* for one that was not known */
	uint64_t read_ns; /* CLOCK_MONOTONIC; 0: never */
	uint64_t version;
	uint64_t generation;
};

int netowners_new(struct netowners **ret)
{
	struct netowners *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	pthread_mutex_init(&n->lock, NULL);
	*ret = n;
	return 0;
}

void netowners_free(struct netowners *n)
{
	if (!n)
		return;
	inode_names_free(&n->owners);
	pthread_mutex_destroy(&n->lock);
	free(n);
}

/* "/.." or "/../…" */
static bool is_above(const char *path)
{
	return strncmp(path, "/..", 3) == 0 && strchr("/\n", path[3]);
}

/* The line of version 2, "0::/PATH"; out of a namespace of cgroups, all else is below "/..". */
static char *read_group(const char *pid)
{
	char path[sizeof("/proc//cgroup") + NAME_MAX], text[LONGEST_GROUP];
	const char *at;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%s/cgroup", pid);
	len = file_read_short(path, text, sizeof(text));
	if (len < 0)
		return NULL;
	at = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
	at = at ? strchr(at, '/') : NULL;
	while (at && is_above(at))
		at += 3;
	return at ? strndup(at, strcspn(at, "\n")) : NULL;
}

/* Processes are listed by their numbers, so that the first of a namespace is likely its oldest.
 * Without memory an owner is not known. */
static void add_process(struct inode_names *l, uint64_t host, const char *pid)
{
	char path[sizeof("/proc//ns/net") + NAME_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	if (stat(path, &st) == 0 && st.st_ino != host && !inode_names_find(l, st.st_ino))
		inode_names_add(l, st.st_ino, read_group(pid));
}

static void read_again(struct netowners *n)
{
	DIR *d = opendir("/proc");
	struct inode_names fresh = {0};
	const struct dirent *entry;
	struct stat st = {0};

	if (stat("/proc/1/ns/net", &st))
		st.st_ino = 0;
	while (d && (entry = readdir(d))) {
		if (isdigit((unsigned char)entry->d_name[0]))
			add_process(&fresh, st.st_ino, entry->d_name);
	}
	if (d)
		closedir(d);
	n->generation += inode_names_renew(&n->owners, &fresh);
}

static void refresh(struct netowners *n, uint64_t version)
{
	uint64_t now = clock_monotonic_ns();
	uint64_t age = now - n->read_ns;

	if (!n->wanted)
		return;
	if (n->read_ns && n->version == version && age < AGED_S * NSEC_PER_SEC &&
	    !(n->missed && age >= MISSED_S * NSEC_PER_SEC))
		return;
	n->read_ns = now;
	n->version = version;
	n->missed = false;
	read_again(n);
}

bool netowners_cgroup(struct netowners *n, uint64_t inode, uint64_t version, struct buf *out)
{
	const char *group;

	pthread_mutex_lock(&n->lock);
	n->wanted = true;
	refresh(n, version);
	group = inode_names_find(&n->owners, inode);
	n->missed |= !group;
	if (group)
		buf_add_str(out, group);
	pthread_mutex_unlock(&n->lock);
	return group != NULL;
}

uint64_t netowners_generation(struct netowners *n, uint64_t version)
{
	uint64_t generation;

	pthread_mutex_lock(&n->lock);
	refresh(n, version);
	generation = n->generation;
	pthread_mutex_unlock(&n->lock);
	return generation;
}
