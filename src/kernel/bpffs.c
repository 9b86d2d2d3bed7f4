// SPDX-License-Identifier: MIT
#include "kernel/bpffs.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "kernel/mounts.h"

#define USUAL_PLACE "/sys/fs/bpf"
/* A service manager may leave no more of the bpffs than this in sight (deploy/systemd/). */
#define OWN_PLACE USUAL_PLACE "/wiregauge"

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

/* Not yet in the headers of all systems: MNT_NS_INIT_INO of include/uapi/linux/nsfs.h. The inode
 * number of the first mount namespace from Linux 6.18 on; before that it is any. */
#define FIRST_MOUNT_NAMESPACE 0xeffffff8U

/* Whether what this process mounts is there for others, too, and stays when it has gone. Process 1
 * may be closed to everybody, root as well. */
static bool shares_mounts(void)
{
	struct stat own, first;

	if (stat("/proc/self/ns/mnt", &own))
		return false;
	return own.st_ino == FIRST_MOUNT_NAMESPACE ||
	       (stat("/proc/1/ns/mnt", &first) == 0 && own.st_ino == first.st_ino);
}

static int mount_it(struct error *e)
{
	if (!shares_mounts())
		return error_set(e, -ENOENT,
				 "no bpffs is mounted, and one that is mounted here would end with "
				 "this process's own mount namespace; mount one before: mount -t "
				 "bpf bpffs " USUAL_PLACE);
	if (mount("bpffs", USUAL_PLACE, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME,
		  "mode=700"))
		return error_set(e, -errno,
				 "no bpffs is mounted, and it cannot be: %s; mount one: mount -t "
				 "bpf bpffs " USUAL_PLACE,
				 error_words(-errno));
	log_info("mounted a bpffs at " USUAL_PLACE);
	return 0;
}

int bpffs_find(bool mount, char **ret, struct error *e)
{
	_cleanup_free_ char *found = NULL;
	int err = 0;

	if (!is_bpffs(OWN_PLACE) && !is_bpffs(USUAL_PLACE)) {
		err = mounts_find("bpf", &found);
		if (!err && is_bpffs(found)) { /* not hidden by another mount */
			*ret = TAKE_PTR(found);
			return 0;
		}
		if (err && err != -ENOENT)
			return error_set(e, err, "cannot look for a bpffs: %s", error_words(err));
		err = mount ? mount_it(e) : error_set(e, -ENOENT, "no bpffs is mounted");
	}
	if (err)
		return err;
	*ret = strdup(USUAL_PLACE);
	return *ret ? 0 : error_set(e, -ENOMEM, "no memory");
}
