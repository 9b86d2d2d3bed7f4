// SPDX-License-Identifier: MIT
#include "base/landlock.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/cleanup.h"

/* What <linux/landlock.h> of Linux 6.1 does not know yet. */
#define COMPAT_ACCESS_FS_TRUNCATE  (UINT64_C(1) << 14) /* ABI 3 */
#define COMPAT_ACCESS_FS_IOCTL_DEV (UINT64_C(1) << 15) /* ABI 5 */
#define COMPAT_ACCESS_NET_TCP      (UINT64_C(3))       /* ABI 4: bind and connect */
#define COMPAT_SCOPE_ABSTRACT_UNIX (UINT64_C(1) << 0)  /* ABI 6 */
#define COMPAT_SCOPE_SIGNAL        (UINT64_C(1) << 1)  /* ABI 6 */

/* struct landlock_ruleset_attr as of ABI 6; a kernel of an older one takes its beginning. */
struct ruleset {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

/* Each version's own, on top of those before it. */
static const struct version {
	int abi;
	struct ruleset adds;
	size_t size;
} versions[] = {
	{1, {.fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1}, offsetof(struct ruleset, net)},
	{2, {.fs = LANDLOCK_ACCESS_FS_REFER}, offsetof(struct ruleset, net)},
	{3, {.fs = COMPAT_ACCESS_FS_TRUNCATE}, offsetof(struct ruleset, net)},
	{4, {.net = COMPAT_ACCESS_NET_TCP}, offsetof(struct ruleset, scoped)},
	{5, {.fs = COMPAT_ACCESS_FS_IOCTL_DEV}, offsetof(struct ruleset, scoped)},
	{6, {.scoped = COMPAT_SCOPE_SIGNAL}, sizeof(struct ruleset)},
};

enum {
	READ = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
	WRITE = READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
		LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
		LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
		COMPAT_ACCESS_FS_TRUNCATE,
	/* What can be allowed at a file that is no folder. */
	OF_A_FILE = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
		    COMPAT_ACCESS_FS_TRUNCATE,
};

void landlock_paths_free(struct landlock_paths *p)
{
	strv_free(&p->list);
	strv_free(&p->read);
	strv_free(&p->write);
}

int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? (int)abi : 0;
}

static struct ruleset rights_of(int abi, size_t *ret_size)
{
	struct ruleset all = {0};

	for (size_t i = 0; i < ARRAY_SIZE(versions) && versions[i].abi <= abi; i++) {
		all.fs |= versions[i].adds.fs;
		all.net |= versions[i].adds.net;
		all.scoped |= versions[i].adds.scoped;
		*ret_size = versions[i].size;
	}
	/* A service manager in a container may wait at an abstract socket (sd_notify(3)). */
	if (all.scoped && (getenv("NOTIFY_SOCKET") ?: "")[0] != '@')
		all.scoped |= COMPAT_SCOPE_ABSTRACT_UNIX;
	return all;
}

static int allow(int ruleset, const char *path, uint64_t rights, struct error *e)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};
	struct stat st;

	if (fd < 0) /* what is not there, or not for this user, cannot be allowed either */
		return 0;
	if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= OF_A_FILE;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
		return error_set(e, -errno, "Landlock does not take '%s': %s", path,
				 error_words(-errno));
	return 0;
}

static int allow_all(int ruleset, const struct strv *paths, uint64_t rights, struct error *e)
{
	int err = 0;

	for (size_t i = 0; !err && i < paths->count; i++)
		err = allow(ruleset, paths->items[i], rights, e);
	return err;
}

int landlock_enforce(const struct landlock_paths *paths, struct error *e)
{
	size_t size = 0;
	struct ruleset rights = rights_of(landlock_abi(), &size);
	_cleanup_close_ int fd = -1;
	int err;

	if (!rights.fs)
		return error_set(e, -EOPNOTSUPP,
				 "this kernel has no Landlock (Linux 5.13 with 'landlock' among "
				 "its LSMs has it)");
	fd = (int)syscall(SYS_landlock_create_ruleset, &rights, size, 0);
	if (fd < 0)
		return error_set(e, -errno, "cannot make a Landlock ruleset: %s",
				 error_words(-errno));
	err = allow_all(fd, &paths->list, LANDLOCK_ACCESS_FS_READ_DIR, e);
	if (!err)
		err = allow_all(fd, &paths->read, READ & rights.fs, e);
	if (!err)
		err = allow_all(fd, &paths->write, WRITE & rights.fs, e);
	if (err)
		return err;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_landlock_restrict_self, fd, 0))
		return error_set(e, -errno, "cannot confine this process by Landlock: %s",
				 error_words(-errno));
	return 0;
}

/* Of what is not there (yet): its folder's, with its name. NULL without memory. */
static char *real_path(const char *path)
{
	_cleanup_free_ char *copy = strdup(path), *folder = NULL;
	char *real = realpath(path, NULL);
	const char *name = strrchr(path, '/');

	if (real || !copy)
		return real;
	folder = realpath(dirname(copy), NULL);
	if (!folder)
		return strdup(path);
	return asprintf(&real, "%s/%s", folder, name ? name + 1 : path) < 0 ? NULL : real;
}

bool landlock_covers(const struct strv *list, const char *path)
{
	_cleanup_free_ char *real = real_path(path);

	for (size_t i = 0; real && i < list->count; i++) {
		_cleanup_free_ char *above = real_path(list->items[i]);
		size_t len = above ? strlen(above) : 0;

		if (len && strncmp(real, above, len) == 0 &&
		    (real[len] == '\0' || real[len] == '/' || above[len - 1] == '/'))
			return true;
	}
	return false;
}
