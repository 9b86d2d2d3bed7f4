// SPDX-License-Identifier: MIT
#include "kernel/netspaces.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

#ifndef NSFS_MAGIC /* include/uapi/linux/magic.h */
#define NSFS_MAGIC 0x6e736673
#endif

#define OWN_PATH "/proc/thread-self/ns/net"

/* Docker keeps its own where `ip netns` does not look. */
static const char *const directories[] = {"/run/netns", "/run/docker/netns"};

struct netspaces {
	struct netspace *items;
	size_t count;
	struct strv paths; /* further files */
	uint64_t own;
	int home_fd;
	bool away;
	int watch_fd; /* inotify; -1 */
};

static void forget(struct netspaces *n)
{
	for (size_t i = 0; i < n->count; i++) {
		free(n->items[i].name);
		free(n->items[i].path);
	}
	free(n->items);
	n->items = NULL;
	n->count = 0;
}

void netspaces_free(struct netspaces *n)
{
	if (!n)
		return;
	forget(n);
	strv_free(&n->paths);
	fd_close(n->home_fd);
	fd_close(n->watch_fd);
	free(n);
}

int netspaces_new(struct netspaces **ret)
{
	struct netspaces *n = calloc(1, sizeof(*n));
	struct stat st;

	if (!n)
		return -ENOMEM;
	n->watch_fd = -1;
	n->home_fd = open(OWN_PATH, O_RDONLY | O_CLOEXEC);
	if (n->home_fd >= 0 && fstat(n->home_fd, &st) == 0)
		n->own = st.st_ino;
	*ret = n;
	return 0;
}

/* ---- which there are ---- */

const struct netspace *netspaces_get(const struct netspaces *n, size_t index)
{
	return index < n->count ? &n->items[index] : NULL;
}

const struct netspace *netspaces_find(const struct netspaces *n, uint64_t inode)
{
	for (size_t i = 0; i < n->count; i++) {
		if (n->items[i].inode == inode)
			return &n->items[i];
	}
	return NULL;
}

static int add(struct netspaces *n, uint64_t inode, const char *name, const char *path)
{
	struct netspace *items, *to;

	if (inode == n->own || netspaces_find(n, inode))
		return 0;
	items = reallocarray(n->items, n->count + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	n->items = items;
	to = &items[n->count++];
	*to = (struct netspace){.inode = inode, .name = strdup(name), .path = strdup(path)};
	return to->name && to->path ? 0 : -ENOMEM;
}

/* The inode of the namespace that is mounted at @path; 0 where there is none (yet: `ip netns add`
 * makes a file, then mounts the namespace on it). */
static uint64_t inode_at(const char *path)
{
	struct statfs fs;
	struct stat st;

	if (statfs(path, &fs) || fs.f_type != NSFS_MAGIC || stat(path, &st))
		return 0;
	return st.st_ino;
}

static int add_path(struct netspaces *n, const char *name, const char *path)
{
	uint64_t inode = inode_at(path);

	return inode ? add(n, inode, name, path) : 0;
}

static int scan_directory(struct netspaces *n, const char *directory)
{
	DIR *d = opendir(directory);
	const struct dirent *entry;
	char path[PATH_MAX];
	int err = 0;

	while (d && !err && (entry = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		if (entry->d_name[0] != '.')
			err = add_path(n, entry->d_name, path);
	}
	if (d)
		closedir(d);
	return err;
}

/* Most processes are where we are, and so cost one stat(). */
static int scan_processes(struct netspaces *n)
{
	DIR *d = opendir("/proc");
	const struct dirent *entry;
	char path[sizeof("/proc//ns/net") + NAME_MAX];
	struct stat st;
	int err = 0;

	while (d && !err && (entry = readdir(d))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/ns/net", entry->d_name);
		if (stat(path, &st) == 0)
			err = add(n, st.st_ino, "", path);
	}
	if (d)
		closedir(d);
	return err;
}

/* Those with a file first, as they have a name then. */
int netspaces_scan(struct netspaces *n, const struct strv *paths)
{
	int err = 0;

	forget(n);
	if (paths) {
		strv_free(&n->paths);
		err = strv_add_all(&n->paths, paths);
	}
	for (size_t i = 0; !err && i < ARRAY_SIZE(directories); i++)
		err = scan_directory(n, directories[i]);
	for (size_t i = 0; !err && i < n->paths.count; i++)
		err = add_path(n, "", n->paths.items[i]);
	return err ? err : scan_processes(n);
}

/* ---- visits ---- */

/* "'blue' (net:[4026532123])" */
static void describe(const struct netspaces *n, uint64_t inode, char *to, size_t size)
{
	const struct netspace *space = netspaces_find(n, inode);

	snprintf(to, size, "%s%s%snet:[%" PRIu64 "]", space && *space->name ? "'" : "",
		 space ? space->name : "", space && *space->name ? "' " : "", inode);
}

static int open_at(const char *path, uint64_t inode)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		return -errno;
	return st.st_ino == inode ? TAKE_FD(fd) : -ENOENT;
}

/* The file may have gone, or the process; another one may still be there. */
static int find_and_open(struct netspaces *n, uint64_t inode)
{
	const struct netspace *space = netspaces_find(n, inode);
	int fd = space ? open_at(space->path, inode) : -ENOENT;

	if (fd != -ENOENT && fd != -ESRCH)
		return fd;
	if (netspaces_scan(n, NULL))
		return -ENOMEM;
	space = netspaces_find(n, inode);
	fd = space ? open_at(space->path, inode) : -ENOENT;
	return fd == -ESRCH ? -ENOENT : fd;
}

int netspaces_open(struct netspaces *n, uint64_t inode, struct error *e)
{
	int fd = find_and_open(n, inode);
	char name[NAME_MAX];

	if (fd >= 0)
		return fd;
	describe(n, inode, name, sizeof(name));
	if (fd == -ENOENT)
		return error_set(e, fd, "network namespace %s is gone", name);
	return error_set(e, fd, "cannot open network namespace %s: %s%s", name, error_words(fd),
			 fd == -EACCES || fd == -EPERM ? "; give CAP_SYS_PTRACE" : "");
}

int netspaces_enter(struct netspaces *n, uint64_t inode, struct error *e)
{
	_cleanup_close_ int fd = -1;
	char name[NAME_MAX];

	if (!inode)
		return 0;
	fd = netspaces_open(n, inode, e);
	if (fd < 0)
		return fd == -ENOENT ? -ENODEV : fd;
	if (n->home_fd < 0 || setns(fd, CLONE_NEWNET)) {
		int err = n->home_fd < 0 ? -EBADF : -errno;

		describe(n, inode, name, sizeof(name));
		return error_set(e, err, "cannot enter network namespace %s: %s%s", name,
				 error_words(err),
				 err == -EPERM ? "; run as root, or give CAP_SYS_ADMIN and have it "
						 "kept (--capabilities.keep)"
					       : "");
	}
	n->away = true;
	return 0;
}

void netspaces_leave(struct netspaces *n)
{
	if (!n->away)
		return;
	if (setns(n->home_fd, CLONE_NEWNET)) {
		/* All that is done from here on would be done in the wrong place. */
		log_error("cannot return from another network namespace: %s", strerror(errno));
		abort();
	}
	n->away = false;
}

/* ---- news ---- */

int netspaces_watch_fd(struct netspaces *n)
{
	if (n->watch_fd < 0)
		n->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	/* A directory that comes later is found when this is called again. */
	for (size_t i = 0; n->watch_fd >= 0 && i < ARRAY_SIZE(directories); i++)
		inotify_add_watch(n->watch_fd, directories[i], IN_CREATE | IN_DELETE | IN_ONLYDIR);
	return n->watch_fd;
}

void netspaces_watch_read(struct netspaces *n)
{
	char events[4096] __attribute__((aligned(8)));

	while (read(n->watch_fd, events, sizeof(events)) > 0)
		;
}
