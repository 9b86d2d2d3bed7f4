// SPDX-License-Identifier: MIT
#include "kernel/netnames.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/clock.h"
#include "base/file.h"
#include "kernel/inode_names.h"

#ifndef NSFS_MAGIC /* include/uapi/linux/magic.h */
#define NSFS_MAGIC 0x6e736673
#endif

/* Docker keeps its own where `ip netns` does not look. */
static const char *const directories[] = {"/run/netns", "/run/docker/netns"};

enum {
	N_DIRECTORIES = ARRAY_SIZE(directories),
	RECHECK_S = 1,
};

struct netnames {
	pthread_mutex_t lock;
	struct inode_names names;
	uint64_t changed[N_DIRECTORIES]; /* file_changed() */
	uint64_t host;                   /* the namespace of process 1 */
	uint64_t read_ns;                /* CLOCK_MONOTONIC; 0: never */
	bool unsettled; /* a file was there before its namespace was mounted on it */
	uint64_t generation;
};

int netnames_new(struct netnames **ret)
{
	struct netnames *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	pthread_mutex_init(&n->lock, NULL);
	*ret = n;
	return 0;
}

void netnames_free(struct netnames *n)
{
	if (!n)
		return;
	inode_names_free(&n->names);
	pthread_mutex_destroy(&n->lock);
	free(n);
}

/* `ip netns add` makes a file, then mounts the namespace on it. */
static void read_entry(struct netnames *n, struct inode_names *l, int directory, const char *name)
{
	struct statfs fs;
	struct stat st;
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return;
	if (fstatfs(fd, &fs) == 0 && fstat(fd, &st) == 0) {
		if (fs.f_type == NSFS_MAGIC)
			inode_names_add(l, st.st_ino, strdup(name));
		else
			n->unsettled = true;
	}
	close(fd);
}

static void read_directory(struct netnames *n, struct inode_names *l, const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *entry;

	if (!d)
		return;
	while ((entry = readdir(d))) {
		if (entry->d_name[0] != '.')
			read_entry(n, l, dirfd(d), entry->d_name);
	}
	closedir(d);
}

/* Whether a directory may be another than the one that was read, which it then counts as. */
static bool has_changed(struct netnames *n)
{
	bool changed = false;

	for (unsigned i = 0; i < N_DIRECTORIES; i++)
		changed |= file_changed(directories[i], &n->changed[i]);
	return changed;
}

static void read_again(struct netnames *n)
{
	struct inode_names fresh = {0};
	struct stat st;

	n->unsettled = false;
	for (unsigned i = 0; i < N_DIRECTORIES; i++)
		read_directory(n, &fresh, directories[i]);
	/* The last, so that a name that somebody gave it goes first. */
	if (stat("/proc/1/ns/net", &st) == 0 || stat("/proc/self/ns/net", &st) == 0) {
		inode_names_add(&fresh, st.st_ino, strdup("host"));
		n->host = st.st_ino;
	}
	n->generation += inode_names_renew(&n->names, &fresh);
}

static void refresh(struct netnames *n)
{
	uint64_t now = clock_monotonic_ns();
	bool due =
		n->read_ns == 0 || (n->unsettled && now - n->read_ns >= RECHECK_S * NSEC_PER_SEC);

	if (!has_changed(n) && !due)
		return;
	n->read_ns = now;
	read_again(n);
}

bool netnames_name(struct netnames *n, uint64_t inode, struct buf *out)
{
	const char *name;

	pthread_mutex_lock(&n->lock);
	refresh(n);
	name = inode_names_find(&n->names, inode);
	if (name)
		buf_add_str(out, name);
	pthread_mutex_unlock(&n->lock);
	return name != NULL;
}

bool netnames_is_host(struct netnames *n, uint64_t inode)
{
	bool is;

	pthread_mutex_lock(&n->lock);
	refresh(n);
	is = n->host == inode;
	pthread_mutex_unlock(&n->lock);
	return is;
}

uint64_t netnames_generation(struct netnames *n)
{
	uint64_t generation;

	pthread_mutex_lock(&n->lock);
	refresh(n);
	generation = n->generation;
	pthread_mutex_unlock(&n->lock);
	return generation;
}
