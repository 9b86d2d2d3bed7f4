// SPDX-License-Identifier: MIT
#include "kernel/iterator.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

int iterator_attach(int prog_fd, int map_fd, struct error *e)
{
	union bpf_iter_link_info info = {.map.map_fd = (uint32_t)map_fd};
	LIBBPF_OPTS(bpf_link_create_opts, options);
	int fd;

	if (map_fd >= 0) {
		options.iter_info = &info;
		options.iter_info_len = sizeof(info);
	}
	fd = bpf_link_create(prog_fd, 0, BPF_TRACE_ITER, &options);
	if (fd == -EBADF && map_fd < 0)
		return error_set_usage(e, "an iterator over the entries of a map needs to be told "
					  "of which: a row of `attach:` with `map:`");
	if (fd < 0)
		return error_set(e, fd, "cannot attach the iterator: %s", strerror(-fd));
	return fd;
}

int iterator_run(int link_fd, struct error *e)
{
	_cleanup_close_ int fd = bpf_iter_create(link_fd);
	char nowhere[4096];
	ssize_t n;

	if (fd < 0)
		return error_set(e, fd, "cannot start the iterator: %s", strerror(errno));
	do
		n = read(fd, nowhere, sizeof(nowhere));
	while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
	if (n < 0)
		return error_set(e, -errno, "the iterator ended early: %s", strerror(errno));
	return 0;
}
