// SPDX-License-Identifier: MIT
#include "kernel/cgroups.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>

#include "base/cleanup.h"
#include "kernel/mounts.h"

enum {
	FIRST_BUCKETS = 256,
	MOST_GONE = 4096,
	RESCAN_S = 10,
	NOT_WATCHED = -1,
	EVENTS_SIZE = 16 << 10,
};

/* What a group is found by. */
enum { BY_ID, BY_WATCH, N_INDICES };

struct cgroup {
	struct cgroup *next[N_INDICES]; /* in its bucket */
	struct cgroup *parent, *children, *sibling;
	struct cgroup *todo;    /* the next directory to be read */
	struct cgroup *younger; /* the next one that went */
	uint64_t id;
	int watch;     /* its descriptor, or NOT_WATCHED */
	uint32_t scan; /* the last that found it */
	bool gone;
	char path[];
};

struct hash {
	struct cgroup **buckets;
	uint32_t n_buckets; /* a power of two */
	uint32_t count;
};

struct cgroups {
	int epoll_fd; /* over the other two */
	int inotify_fd;
	int timer_fd;         /* armed while a watch is lacking */
	pthread_mutex_t lock; /* held to change the hashes, and by other threads to read them */
	struct hash hashes[N_INDICES];
	struct cgroup *root;
	struct cgroup *oldest_gone, *youngest_gone;
	uint32_t n_gone;
	uint32_t scan;
	bool lacks_watches;
	_Atomic uint64_t generation;
	cgroup_event_fn fn; /* of the cgroups_update() under way */
	void *ctx;
};

/* ---- finding ---- */

static uint64_t key_of(const struct cgroup *g, unsigned index)
{
	return index == BY_ID ? g->id : (uint64_t)g->watch;
}

/* Ids count up, and so do watches: their low bits spread well. */
static struct cgroup **place_of(const struct hash *h, unsigned index, uint64_t key)
{
	struct cgroup **at = &h->buckets[key & (h->n_buckets - 1)];

	while (*at && key_of(*at, index) != key)
		at = &(*at)->next[index];
	return at;
}

static struct cgroup *find(const struct cgroups *c, unsigned index, uint64_t key)
{
	return *place_of(&c->hashes[index], index, key);
}

/* A hash that cannot grow still works, only slower. */
static void grow(struct hash *h, unsigned index)
{
	struct hash larger = {.n_buckets = h->n_buckets * 2, .count = h->count};

	larger.buckets = calloc(larger.n_buckets, sizeof(struct cgroup *));
	if (!larger.buckets)
		return;
	for (uint32_t i = 0; i < h->n_buckets; i++) {
		struct cgroup *next;

		for (struct cgroup *g = h->buckets[i]; g; g = next) {
			struct cgroup **at = place_of(&larger, index, key_of(g, index));

			next = g->next[index];
			g->next[index] = *at;
			*at = g;
		}
	}
	free(h->buckets);
	*h = larger;
}

static void put_in(struct cgroups *c, unsigned index, struct cgroup *g)
{
	struct hash *h = &c->hashes[index];
	struct cgroup **at;

	pthread_mutex_lock(&c->lock);
	if (h->count++ >= h->n_buckets)
		grow(h, index);
	at = place_of(h, index, key_of(g, index));
	g->next[index] = *at;
	*at = g;
	pthread_mutex_unlock(&c->lock);
}

static void take_out(struct cgroups *c, unsigned index, struct cgroup *g)
{
	struct hash *h = &c->hashes[index];
	struct cgroup **at;

	pthread_mutex_lock(&c->lock);
	at = &h->buckets[key_of(g, index) & (h->n_buckets - 1)];
	while (*at && *at != g) /* not just the first of its key: one that went may be there too */
		at = &(*at)->next[index];
	if (*at) {
		*at = g->next[index];
		h->count--;
	}
	pthread_mutex_unlock(&c->lock);
}

static struct cgroup *find_child(const struct cgroup *parent, const char *name)
{
	struct cgroup *g = parent->children;

	while (g && !STREQ(strrchr(g->path, '/') + 1, name))
		g = g->sibling;
	return g;
}

/* The id of the group at @path, 0 when there is none: all of a directory's file handle (see
 * kernfs_encode_fh() of fs/kernfs/mount.c). Its inode number alone has 32 bits on some machines. */
static uint64_t read_id(const char *path)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u = {.handle = {.handle_bytes = sizeof(uint64_t)}};
	uint64_t id = 0;
	int mount_id;

	if (name_to_handle_at(AT_FDCWD, path, &u.handle, &mount_id, 0) == 0 &&
	    u.handle.handle_bytes == sizeof(id))
		memcpy(&id, u.handle.f_handle, sizeof(id));
	return id;
}

/* ---- coming and going ---- */

static void tell(struct cgroups *c, enum cgroup_event event, const struct cgroup *g)
{
	const struct cgroup_info info = {g->id, g->path};

	atomic_fetch_add(&c->generation, 1);
	if (c->fn)
		c->fn(c->ctx, event, &info);
}

static void unwatch(struct cgroups *c, struct cgroup *g)
{
	if (g->watch == NOT_WATCHED)
		return;
	take_out(c, BY_WATCH, g);
	inotify_rm_watch(c->inotify_fd, g->watch);
	g->watch = NOT_WATCHED;
}

static void watch(struct cgroups *c, struct cgroup *g)
{
	struct cgroup *other;
	int wd;

	if (g->watch != NOT_WATCHED)
		return;
	wd = inotify_add_watch(c->inotify_fd, g->path,
			       IN_CREATE | IN_DELETE | IN_ONLYDIR | IN_DONT_FOLLOW);
	if (wd < 0) { /* else it is gone already, which its parent tells */
		c->lacks_watches |= errno == ENOSPC || errno == ENOMEM;
		return;
	}
	/* The watch is one of the directory: whoever had it before has been replaced there. */
	other = find(c, BY_WATCH, (uint64_t)wd);
	if (other) {
		take_out(c, BY_WATCH, other);
		other->watch = NOT_WATCHED;
	}
	g->watch = wd;
	put_in(c, BY_WATCH, g);
}

/* A series may outlive its group, so the last names are remembered. */
static void remember_gone(struct cgroups *c, struct cgroup *g)
{
	struct cgroup *oldest = c->oldest_gone;

	if (c->youngest_gone)
		c->youngest_gone->younger = g;
	else
		c->oldest_gone = g;
	c->youngest_gone = g;
	if (++c->n_gone <= MOST_GONE)
		return;
	c->oldest_gone = oldest->younger;
	c->n_gone--;
	take_out(c, BY_ID, oldest);
	free(oldest);
}

static void remove_leaf(struct cgroups *c, struct cgroup *g)
{
	struct cgroup **at = g->parent ? &g->parent->children : &c->root;

	while (*at != g)
		at = &(*at)->sibling;
	*at = g->sibling;
	unwatch(c, g);
	pthread_mutex_lock(&c->lock);
	g->gone = true;
	pthread_mutex_unlock(&c->lock);
	tell(c, CGROUP_REMOVED, g);
	remember_gone(c, g);
}

static void remove_tree(struct cgroups *c, struct cgroup *top)
{
	struct cgroup *g;

	do {
		for (g = top; g->children; g = g->children)
			;
		remove_leaf(c, g);
	} while (g != top);
}

static struct cgroup *add(struct cgroups *c, struct cgroup *parent, const char *path, uint64_t id)
{
	size_t size = strlen(path) + 1;
	struct cgroup *g = malloc(sizeof(*g) + size);

	if (!g)
		return NULL;
	*g = (struct cgroup){.parent = parent, .id = id, .watch = NOT_WATCHED};
	memcpy(g->path, path, size);
	if (parent) {
		g->sibling = parent->children;
		parent->children = g;
	}
	put_in(c, BY_ID, g);
	tell(c, CGROUP_ADDED, g);
	return g;
}

/* ---- reading directories ---- */

/* The group @name in @parent is there, or was a moment ago: it goes on @todo. */
static void take_in(struct cgroups *c, struct cgroup *parent, const char *name,
		    struct cgroup **todo)
{
	struct cgroup *g = find_child(parent, name);
	char path[PATH_MAX];
	uint64_t id;

	if (snprintf(path, sizeof(path), "%s/%s", parent->path, name) >= (int)sizeof(path))
		return; /* no system call could name it */
	id = read_id(path);
	if (g && g->id != id) {
		remove_tree(c, g);
		g = NULL;
	}
	if (!g && id)
		g = add(c, parent, path, id);
	if (!g)
		return;
	g->scan = c->scan;
	g->todo = *todo;
	*todo = g;
}

static void drop_unseen_children(struct cgroups *c, struct cgroup *parent)
{
	struct cgroup *next;

	for (struct cgroup *g = parent->children; g; g = next) {
		next = g->sibling;
		if (g->scan != c->scan)
			remove_tree(c, g);
	}
}

static void read_directory(struct cgroups *c, struct cgroup *g, struct cgroup **todo)
{
	DIR *directory = opendir(g->path);
	const struct dirent *entry;

	if (!directory)
		return;
	while ((entry = readdir(directory))) {
		if (entry->d_type == DT_DIR && !STREQ(entry->d_name, ".") &&
		    !STREQ(entry->d_name, ".."))
			take_in(c, g, entry->d_name, todo);
	}
	closedir(directory);
	drop_unseen_children(c, g);
}

/* Compares all that is on @todo, and below, with what there is. */
static void scan(struct cgroups *c, struct cgroup *todo)
{
	while (todo) {
		struct cgroup *g = todo;

		todo = g->todo;
		/* Watched before it is read: what comes in between is told of, then found again. */
		watch(c, g);
		read_directory(c, g, &todo);
	}
}

static void set_timer(struct cgroups *c, bool armed)
{
	const time_t seconds = armed ? RESCAN_S : 0;
	const struct itimerspec every = {{.tv_sec = seconds}, {.tv_sec = seconds}};

	timerfd_settime(c->timer_fd, 0, &every, NULL);
}

static void scan_all(struct cgroups *c)
{
	c->lacks_watches = false;
	c->scan++;
	c->root->todo = NULL;
	scan(c, c->root);
	set_timer(c, c->lacks_watches);
}

/* ---- events ---- */

static void on_created(struct cgroups *c, struct cgroup *parent, const char *name)
{
	struct cgroup *todo = NULL;
	bool lacked = c->lacks_watches;

	c->scan++;
	take_in(c, parent, name, &todo);
	scan(c, todo);
	if (c->lacks_watches && !lacked)
		set_timer(c, true);
}

/* The event may be older than what was read since: another group of the name may be there. */
static void on_deleted(struct cgroups *c, struct cgroup *parent, const char *name)
{
	struct cgroup *g = find_child(parent, name);

	if (g && read_id(g->path) != g->id)
		remove_tree(c, g);
}

static void on_event(struct cgroups *c, const struct inotify_event *event)
{
	struct cgroup *g = find(c, BY_WATCH, (uint64_t)event->wd);

	if (!g)
		return;
	if (event->mask & IN_IGNORED) {
		take_out(c, BY_WATCH, g);
		g->watch = NOT_WATCHED;
	} else if (event->mask & IN_ISDIR && event->mask & IN_CREATE) {
		on_created(c, g, event->name);
	} else if (event->mask & IN_ISDIR && event->mask & IN_DELETE) {
		on_deleted(c, g, event->name);
	}
}

/* True when the kernel had more to tell than it could keep. */
static bool read_events(struct cgroups *c)
{
	char events[EVENTS_SIZE] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool overflow = false;
	ssize_t n;

	while ((n = read(c->inotify_fd, events, sizeof(events))) > 0) {
		const struct inotify_event *event;

		for (const char *at = events; at < events + n; at += sizeof(*event) + event->len) {
			event = (const struct inotify_event *)at;
			overflow |= (event->mask & IN_Q_OVERFLOW) != 0;
			on_event(c, event);
		}
	}
	return overflow;
}

static bool timer_expired(struct cgroups *c)
{
	uint64_t times;

	return read(c->timer_fd, &times, sizeof(times)) == sizeof(times);
}

int cgroups_update(struct cgroups *c, cgroup_event_fn fn, void *ctx, struct error *e)
{
	bool missed;

	if (!c->root)
		return 0;
	c->fn = fn;
	c->ctx = ctx;
	missed = read_events(c);
	if (timer_expired(c) || missed)
		scan_all(c);
	c->fn = NULL;
	if (c->lacks_watches)
		return error_set(
			e, -ENOSPC,
			"not all cgroups can be followed, so that they are read anew every "
			"%d seconds: raise fs.inotify.max_user_watches (sysctl)",
			RESCAN_S);
	return 0;
}

/* ---- life ---- */

static int open_descriptors(struct cgroups *c)
{
	struct epoll_event event = {.events = EPOLLIN};

	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	c->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	c->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (c->epoll_fd < 0 || c->inotify_fd < 0 || c->timer_fd < 0 ||
	    epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->inotify_fd, &event) ||
	    epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->timer_fd, &event))
		return -errno;
	return 0;
}

int cgroups_new(struct cgroups **ret)
{
	struct cgroups *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	pthread_mutex_init(&c->lock, NULL);
	err = open_descriptors(c);
	for (unsigned i = 0; !err && i < N_INDICES; i++) {
		c->hashes[i].n_buckets = FIRST_BUCKETS;
		c->hashes[i].buckets = calloc(FIRST_BUCKETS, sizeof(struct cgroup *));
		if (!c->hashes[i].buckets)
			err = -ENOMEM;
	}
	if (err) {
		cgroups_free(c);
		return err;
	}
	*ret = c;
	return 0;
}

void cgroups_free(struct cgroups *c)
{
	if (!c)
		return;
	for (uint32_t i = 0; c->hashes[BY_ID].buckets && i < c->hashes[BY_ID].n_buckets; i++) {
		struct cgroup *next;

		for (struct cgroup *g = c->hashes[BY_ID].buckets[i]; g; g = next) {
			next = g->next[BY_ID];
			free(g);
		}
	}
	for (unsigned i = 0; i < N_INDICES; i++)
		free(c->hashes[i].buckets);
	fd_close(c->timer_fd);
	fd_close(c->inotify_fd);
	fd_close(c->epoll_fd);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

int cgroups_fd(const struct cgroups *c)
{
	return c->epoll_fd;
}

int cgroups_start(struct cgroups *c, struct error *e)
{
	_cleanup_free_ char *point = NULL;
	uint64_t id;
	int err;

	if (c->root)
		return 0;
	err = mounts_find("cgroup2", &point);
	if (err == -ENOENT)
		return error_set_lacks(e, err, "no cgroup2 file system is mounted");
	if (err)
		return error_set(e, err, "cannot find where cgroup2 is mounted: %s",
				 strerror(-err));
	id = read_id(point);
	if (!id)
		return error_set(e, -ENOTDIR, "cannot read the id of the cgroup '%s'", point);
	c->root = add(c, NULL, point, id);
	if (!c->root)
		return error_set(e, -ENOMEM, "no memory for cgroups");
	scan_all(c);
	return 0;
}

void cgroups_each(struct cgroups *c, cgroup_event_fn fn, void *ctx)
{
	/* No lock: only the owner, who calls this, changes the groups. */
	const struct cgroup *g = c->root;

	while (g) {
		const struct cgroup_info info = {g->id, g->path};

		fn(ctx, CGROUP_ADDED, &info);
		if (g->children) {
			g = g->children;
			continue;
		}
		while (g && !g->sibling)
			g = g->parent;
		if (g)
			g = g->sibling;
	}
}

enum cgroup_state cgroups_path(struct cgroups *c, uint64_t id, struct buf *out)
{
	enum cgroup_state state = CGROUP_UNKNOWN;
	const struct cgroup *g;

	pthread_mutex_lock(&c->lock);
	g = find(c, BY_ID, id);
	if (g) {
		buf_add_str(out, g->path);
		state = g->gone ? CGROUP_GONE : CGROUP_THERE;
	}
	pthread_mutex_unlock(&c->lock);
	return state;
}

uint64_t cgroups_generation(const struct cgroups *c)
{
	return atomic_load(&c->generation);
}
