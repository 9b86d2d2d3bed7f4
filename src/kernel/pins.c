// SPDX-License-Identifier: MIT
#include "kernel/pins.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/macro.h"
#include "kernel/bpffs.h"
#include "kernel/xdp_dispatcher.h"

/* Not yet in the headers of all C libraries: include/uapi/asm-generic/socket.h. */
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

#define OWN_DIRECTORY "wiregauge"
#define SERVICE_USER  "wiregauge"
#define NEW_SUFFIX    "~" /* of a pin that will replace another; no map or link is called so */

enum {
	MODE = 0700,
	CLAIM_TRIES = 8,
	USER_ENTRY_MAX = 4096,
};

struct pins {
	char *path;
	int dir_fd; /* the lock is on it */
};

/* What a descriptor or a name leads to. */
struct identity {
	bool is_pin;
	enum pin_kind kind;
	uint32_t id;
};

static const char *const kind_names[] = {[PIN_MAP] = "map", [PIN_LINK] = "link"};

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A directory that is not there has no names. */
static int list(const char *path, struct strv *ret)
{
	struct dirent *entry;
	DIR *d = opendir(path);
	int err = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while (!err && (entry = readdir(d))) {
		if (!STREQ(entry->d_name, ".") && !STREQ(entry->d_name, ".."))
			err = strv_add(ret, entry->d_name, strlen(entry->d_name));
	}
	closedir(d);
	if (ret->count)
		qsort(ret->items, ret->count, sizeof(*ret->items), compare_strings);
	return err;
}

/* ---- claiming the directory ---- */

/* One for each network namespace that ever was since the start of the host; before Linux 5.14 its
 * inode number, which comes again. */
static int netns_number(uint64_t *ret)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*ret);
	struct stat st;

	if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, ret, &len) == 0)
		return 0;
	if (stat("/proc/self/ns/net", &st))
		return -errno;
	*ret = st.st_ino;
	return 0;
}

/* Root looks after what the service pinned, which runs as a user of its own. */
static bool is_service(uid_t uid)
{
	char memory[USER_ENTRY_MAX];
	struct passwd user, *found = NULL;

	return getpwnam_r(SERVICE_USER, &user, memory, sizeof(memory), &found) == 0 && found &&
	       found->pw_uid == uid;
}

/* Everybody may write to a bpffs that is mounted without options: what is found there could be
 * another user's trap. */
static int check_owner(int fd, const char *path, struct error *e)
{
	struct stat st;
	bool own;

	if (fstat(fd, &st))
		return error_set(e, -errno, "cannot look at %s: %s", path, error_words(-errno));
	own = st.st_uid == geteuid() || (geteuid() == 0 && is_service(st.st_uid));
	if (!own || st.st_mode & 077)
		return error_set(e, -EACCES,
				 "%s is not used: it must belong to user %u, and be open to nobody "
				 "else (mode 700)",
				 path, (unsigned)geteuid());
	return 0;
}

static int open_directory(const char *path, bool make, int *ret_fd, struct error *e)
{
	_cleanup_close_ int fd = -1;
	int err;

	if (make && mkdir(path, MODE) && errno != EEXIST)
		return error_set(e, -errno, "cannot make the directory %s: %s", path,
				 error_words(-errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_set(e, -errno, "cannot open the directory %s: %s", path,
				 error_words(-errno));
	err = check_owner(fd, path, e);
	if (!err)
		*ret_fd = TAKE_FD(fd);
	return err;
}

/* Whether @path still leads to what @fd is of: who held it before may have removed it. */
static bool is_still_there(int fd, const char *path)
{
	struct stat own, there;

	return fstat(fd, &own) == 0 && lstat(path, &there) == 0 && own.st_ino == there.st_ino;
}

static int claim(struct pins *p, bool make, struct error *e)
{
	for (unsigned i = 0; i < CLAIM_TRIES; i++) {
		int err = open_directory(p->path, make, &p->dir_fd, e);

		if (err)
			return err;
		if (flock(p->dir_fd, LOCK_EX | LOCK_NB))
			return error_set(e, errno == EWOULDBLOCK ? -EADDRINUSE : -errno,
					 errno == EWOULDBLOCK
						 ? "a daemon that runs in this network namespace "
						   "has %s"
						 : "cannot claim %s",
					 p->path);
		if (is_still_there(p->dir_fd, p->path))
			return 0;
		p->dir_fd = fd_close(p->dir_fd);
	}
	return error_set(e, -EBUSY, "%s comes and goes", p->path);
}

static int open_own(struct pins *p, const char *bpffs, bool make, struct error *e)
{
	_cleanup_close_ int above = -1;
	_cleanup_free_ char *path = NULL;
	uint64_t number = 0;
	int err = netns_number(&number);

	if (err)
		return error_set(e, err, "cannot tell which network namespace this is: %s",
				 error_words(err));
	if (asprintf(&path, "%s/" OWN_DIRECTORY, bpffs) < 0 ||
	    asprintf(&p->path, "%s/%" PRIu64, path, number) < 0)
		return error_set(e, -ENOMEM, "no memory");
	err = open_directory(path, make, &above, e);
	return err ? err : claim(p, make, e);
}

static void let_go(struct pins *p)
{
	fd_close(p->dir_fd);
	free(p->path);
	free(p);
}

DEFINE_CLEANUP(struct pins *, let_go)

int pins_open(bool make, struct pins **ret, struct error *e)
{
	_cleanup_(let_go_p) struct pins *p = calloc(1, sizeof(*p));
	_cleanup_free_ char *bpffs = NULL;
	int err;

	if (!p)
		return error_set(e, -ENOMEM, "no memory");
	p->dir_fd = -1;
	err = bpffs_find(make, &bpffs, e);
	if (!err)
		err = open_own(p, bpffs, make, e);
	if (!err)
		*ret = TAKE_PTR(p);
	return err;
}

int pins_find(char **ret, struct error *e)
{
	_cleanup_free_ char *bpffs = NULL;
	int err = bpffs_find(false, &bpffs, e);

	if (err)
		return err;
	return asprintf(ret, "%s/" OWN_DIRECTORY, bpffs) < 0 ? error_set(e, -ENOMEM, "no memory")
							     : 0;
}

/* @path and, of a directory, all in it. */
static int hand_over(const char *path, uid_t uid, gid_t gid)
{
	_cleanup_strv_ struct strv names = {0};
	struct stat st;
	int err = 0;

	if (lstat(path, &st) || lchown(path, uid, gid))
		return -errno;
	if (S_ISDIR(st.st_mode))
		err = list(path, &names);
	for (size_t i = 0; !err && i < names.count; i++) {
		_cleanup_free_ char *below = NULL;

		err = asprintf(&below, "%s/%s", path, names.items[i]) < 0
			      ? -ENOMEM
			      : hand_over(below, uid, gid);
	}
	return err;
}

/* The way to @path, which is in the root of a bpffs, mounted by systemd with mode 700. */
static int open_way(const char *path, struct error *e)
{
	_cleanup_free_ char *copy = strdup(path);
	const char *above = copy ? dirname(copy) : NULL;
	struct stat st;

	if (!above || stat(above, &st))
		return error_set(e, -ENOENT, "there is no directory above %s", path);
	if (st.st_mode & S_IXOTH)
		return 0;
	if (chmod(above, (st.st_mode & 07777) | S_IXGRP | S_IXOTH))
		return error_set(e, -errno, "cannot open the way to %s: %s", path,
				 error_words(-errno));
	log_info("made %s passable, for what is pinned in %s", above, path);
	return 0;
}

/* @above, and in it the directory of this network namespace. */
static int hand_over_own(const char *above, uid_t uid, gid_t gid)
{
	_cleanup_free_ char *own = NULL;
	uint64_t number = 0;
	int err = netns_number(&number);

	if (err)
		return err;
	if (asprintf(&own, "%s/%" PRIu64, above, number) < 0)
		return -ENOMEM;
	if (lchown(above, uid, gid))
		return -errno;
	err = hand_over(own, uid, gid);
	return err == -ENOENT ? 0 : err;
}

int pins_prepare(uid_t uid, gid_t gid, struct error *e)
{
	_cleanup_free_ char *bpffs = NULL, *path = NULL;
	int err = bpffs_find(true, &bpffs, e);

	if (err)
		return err;
	if (asprintf(&path, "%s/" OWN_DIRECTORY, bpffs) < 0)
		return error_set(e, -ENOMEM, "no memory");
	if (mkdir(path, MODE) && errno != EEXIST)
		return error_set(e, -errno, "cannot make the directory %s: %s", path,
				 error_words(-errno));
	err = hand_over_own(path, uid, gid);
	if (err)
		return error_set(e, err, "cannot hand %s over to user %u: %s", path, (unsigned)uid,
				 error_words(err));
	return uid ? open_way(path, e) : 0;
}

void pins_close(struct pins *p)
{
	if (!p)
		return;
	rmdir(p->path); /* only where it is empty */
	let_go(p);
}

/* One that is held, or gone meanwhile, is left out. */
static int call_if_unheld(const char *path, pins_fn fn, void *ctx, struct error *e)
{
	struct pins *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return error_set(e, -ENOMEM, "no memory");
	p->path = strdup(path);
	p->dir_fd = -1;
	err = p->path ? claim(p, false, e) : error_set(e, -ENOMEM, "no memory");
	if (err) {
		let_go(p);
		return err == -EADDRINUSE || err == -ENOENT ? 0 : err;
	}
	err = fn(ctx, p, e);
	pins_close(p);
	return err;
}

int pins_each_unheld(pins_fn fn, void *ctx, struct error *e)
{
	_cleanup_free_ char *bpffs = NULL, *above = NULL;
	_cleanup_strv_ struct strv names = {0};
	int err = bpffs_find(false, &bpffs, e);

	if (err)
		return err == -ENOENT ? 0 : err;
	if (asprintf(&above, "%s/" OWN_DIRECTORY, bpffs) < 0)
		return error_set(e, -ENOMEM, "no memory");
	err = list(above, &names);
	if (err)
		return error_set(e, err, "cannot read the directory %s: %s", above,
				 error_words(err));
	for (size_t i = 0; !err && i < names.count; i++) {
		_cleanup_free_ char *path = NULL;

		if (asprintf(&path, "%s/%s", above, names.items[i]) < 0)
			return error_set(e, -ENOMEM, "no memory");
		err = call_if_unheld(path, fn, ctx, e);
	}
	return err;
}

const char *pins_path(const struct pins *p)
{
	return p->path;
}

/* ---- what is there ---- */

void pins_add_part(struct buf *name, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_-";

	for (; *text; text++) {
		if (strchr(plain, *text))
			buf_add_char(name, *text);
		else
			buf_printf(name, "%%%02x", (unsigned char)*text);
	}
}

struct path {
	char text[PATH_MAX];
};

static int make_path(const struct pins *p, const char *name, struct path *ret)
{
	int n = snprintf(ret->text, sizeof(ret->text), "%s%s%s", p->path, *name ? "/" : "", name);

	return n < (int)sizeof(ret->text) ? 0 : -ENAMETOOLONG;
}

/* The kernel says it in /proc/self/fdinfo: "map_id:\t17" (see proc(5)); of a link its program's id
 * too, so it is asked for a map's and a link's alone. */
static struct identity identify(int fd)
{
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	if (file_read_short(path, text, sizeof(text)) < 0)
		return (struct identity){0};
	for (size_t i = 0; i < ARRAY_SIZE(kind_names); i++) {
		char key[16];
		const char *found;

		snprintf(key, sizeof(key), "\n%s_id:", kind_names[i]);
		found = strstr(text, key);
		if (found)
			return (struct identity){true, (enum pin_kind)i,
						 (uint32_t)strtoul(found + strlen(key), NULL, 10)};
	}
	return (struct identity){0};
}

static int foreign_error(const struct path *path, enum pin_kind kind, struct error *e)
{
	return error_set(e, -EEXIST,
			 "%s is no %s of ours, and it is not touched; remove it if nobody needs it",
			 path->text, kind_names[kind]);
}

/* BPF_OBJ_GET follows symbolic links; we make none. */
static int get(const struct path *path, enum pin_kind kind, int *ret_fd, struct error *e)
{
	_cleanup_close_ int fd = -1;
	struct identity identity;
	struct stat st;

	if (lstat(path->text, &st))
		return error_set(e, -errno, "cannot look at %s: %s", path->text,
				 error_words(-errno));
	if (!S_ISREG(st.st_mode))
		return foreign_error(path, kind, e);
	fd = bpf_obj_get(path->text);
	if (fd < 0)
		return error_set(e, fd, "cannot open the pinned %s %s: %s", kind_names[kind],
				 path->text, error_words(fd));
	identity = identify(fd);
	if (!identity.is_pin || identity.kind != kind)
		return foreign_error(path, kind, e);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int pins_get(const struct pins *p, const char *name, enum pin_kind kind, int *ret_fd,
	     struct error *e)
{
	struct path path;
	int err = make_path(p, name, &path);

	return err ? error_set(e, err, "the name of a pin is too long")
		   : get(&path, kind, ret_fd, e);
}

int pins_list(const struct pins *p, const char *name, struct strv *ret)
{
	struct path path;
	int err = make_path(p, name, &path);

	return err ? err : list(path.text, ret);
}

/* ---- pinning ---- */

static int make_directories(const struct pins *p, const char *name, struct error *e)
{
	for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
		_cleanup_free_ char *part = strndup(name, (size_t)(slash - name));

		if (!part)
			return error_set(e, -ENOMEM, "no memory");
		if (mkdirat(p->dir_fd, part, MODE) && errno != EEXIST)
			return error_set(e, -errno, "cannot make the directory %s/%s: %s", p->path,
					 part, error_words(-errno));
	}
	return 0;
}

/* Whether @path leads to what @fd is. -EEXIST when it leads to what is not ours. */
static int is_pinned_as(const struct path *path, enum pin_kind kind, int fd, bool *ret,
			struct error *e)
{
	_cleanup_close_ int there = -1;
	int err = get(path, kind, &there, e);

	*ret = !err && identify(there).id == identify(fd).id;
	return err == -ENOENT ? 0 : err;
}

/* What is left of a process that was killed between the two steps goes first. */
static int pin_anew(const struct path *path, int fd, struct error *e)
{
	struct path fresh;
	int err, n = snprintf(fresh.text, sizeof(fresh.text), "%s" NEW_SUFFIX, path->text);

	if (n >= (int)sizeof(fresh.text))
		return error_set(e, -ENAMETOOLONG, "the name of a pin is too long");
	unlink(fresh.text);
	err = bpf_obj_pin(fd, fresh.text);
	if (!err && rename(fresh.text, path->text)) {
		err = -errno;
		unlink(fresh.text);
	}
	if (err)
		return error_set(e, err, "cannot pin %s: %s", path->text, error_words(err));
	return 0;
}

int pins_put(const struct pins *p, const char *name, enum pin_kind kind, int fd, struct error *e)
{
	struct path path;
	bool there;
	int err = make_path(p, name, &path);

	if (err)
		return error_set(e, err, "the name of a pin is too long");
	err = is_pinned_as(&path, kind, fd, &there, e);
	if (err || there)
		return err;
	err = make_directories(p, name, e);
	return err ? err : pin_anew(&path, fd, e);
}

/* ---- removing ---- */

static int remove_error(const struct path *path, int code, struct error *e)
{
	return error_set(e, code, "cannot remove %s: %s", path->text, error_words(code));
}

static int remove_pin(const struct path *path, struct pins_removed *count, struct error *e)
{
	_cleanup_close_ int fd = bpf_obj_get(path->text);
	struct identity identity = fd < 0 ? (struct identity){0} : identify(fd);
	bool is_dispatched;

	if (!identity.is_pin) {
		count->left++;
		return 0;
	}
	if (unlink(path->text) && errno != ENOENT)
		return remove_error(path, -errno, e);
	is_dispatched = identity.kind == PIN_MAP && xdp_dispatcher_empty(fd);
	count->dispatched += is_dispatched;
	count->maps += identity.kind == PIN_MAP && !is_dispatched;
	count->links += identity.kind == PIN_LINK || is_dispatched;
	return 0;
}

static int remove_any(const struct pins *p, const char *name, struct pins_removed *count,
		      struct error *e);

static int remove_directory(const struct pins *p, const char *name, const struct path *path,
			    struct pins_removed *count, struct error *e)
{
	_cleanup_strv_ struct strv names = {0};
	int err = pins_list(p, name, &names);

	if (err)
		return remove_error(path, err, e);
	for (size_t i = 0; !err && i < names.count; i++) {
		_cleanup_buf_ struct buf inner = {0};

		buf_printf(&inner, "%s%s%s", name, *name ? "/" : "", names.items[i]);
		err = remove_any(p, buf_str(&inner), count, e);
	}
	if (!err && *name && rmdir(path->text) && errno != ENOTEMPTY && errno != ENOENT)
		err = remove_error(path, -errno, e);
	return err;
}

static int remove_any(const struct pins *p, const char *name, struct pins_removed *count,
		      struct error *e)
{
	struct path path;
	struct stat st;
	int err = make_path(p, name, &path);

	if (err)
		return error_set(e, err, "the name of a pin is too long");
	if (lstat(path.text, &st))
		return errno == ENOENT ? 0 : remove_error(&path, -errno, e);
	if (S_ISDIR(st.st_mode))
		return remove_directory(p, name, &path, count, e);
	if (S_ISREG(st.st_mode))
		return remove_pin(&path, count, e);
	count->left++;
	return 0;
}

/* Directories above @name, as far as they are empty. */
static void remove_above(const struct pins *p, const char *name)
{
	_cleanup_free_ char *part = strdup(name);
	char *slash;

	while (part && (slash = strrchr(part, '/'))) {
		*slash = '\0';
		if (unlinkat(p->dir_fd, part, AT_REMOVEDIR))
			return;
	}
}

int pins_remove(const struct pins *p, const char *name, struct pins_removed *ret, struct error *e)
{
	int err = remove_any(p, name, ret, e);

	if (!err)
		remove_above(p, name);
	return err;
}
