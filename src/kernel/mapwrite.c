// SPDX-License-Identifier: MIT
#include "kernel/mapwrite.h"

#include <bpf/bpf.h>
#include <errno.h>

int mapwrite_put(int fd, const void *key, const void *value)
{
	return bpf_map_update_elem(fd, key, value, BPF_ANY) ? -errno : 0;
}

int mapwrite_remove(int fd, const void *key)
{
	return bpf_map_delete_elem(fd, key) ? -errno : 0;
}
