// SPDX-License-Identifier: MIT
#include "kernel/cgroup_link.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "kernel/mounts.h"

static int find_path(const char *path, char **ret, struct error *e)
{
	int r = 0;

	if (path) {
		*ret = strdup(path);
		r = *ret ? 0 : -ENOMEM;
	} else {
		r = mounts_find("cgroup2", ret);
	}
	if (r == -ENOENT)
		return error_set_lacks(e, r,
				       "cgroup2 is not mounted; mount it (mount -t cgroup2 cgroup2 "
				       "/sys/fs/cgroup), or name the cgroup (cgroup: PATH)");
	return r < 0 ? error_set(e, r, "cannot find where cgroup2 is mounted: %s", strerror(-r))
		     : 0;
}

static int open_cgroup(const char *path, struct error *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0)
		return error_set(e, -errno, "cannot open the cgroup %s: %s", path, strerror(errno));
	if (fstatfs(fd, &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC)
		return error_set_usage(e, "%s is not a cgroup of cgroup2", path);
	return TAKE_FD(fd);
}

static const char *reason(int code)
{
	if (code == -EPERM)
		return "Operation not permitted; run as root or give CAP_BPF and CAP_NET_ADMIN. "
		       "Where a program of another is attached to this cgroup, or one above, so "
		       "that none may stand beside it, that one must go first: bpftool cgroup tree";
	if (code == -EINVAL)
		return "this kernel does not attach such programs to cgroups";
	return strerror(-code);
}

int cgroup_attach(int prog_fd, uint32_t attach_type, const char *path, int *ret_fd, char **ret_path,
		  struct error *e)
{
	_cleanup_free_ char *where = NULL;
	_cleanup_close_ int cgroup = -1;
	int r = find_path(path, &where, e);

	if (r < 0)
		return r;
	cgroup = open_cgroup(where, e);
	if (cgroup < 0)
		return cgroup;
	r = bpf_link_create(prog_fd, cgroup, (enum bpf_attach_type)attach_type, NULL);
	if (r < 0)
		return error_set(e, r, "cannot attach to the cgroup %s: %s", where, reason(r));
	*ret_fd = r;
	*ret_path = TAKE_PTR(where);
	return 0;
}
