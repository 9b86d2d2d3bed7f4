// SPDX-License-Identifier: MIT
#include "kernel/mapwrite.h"

#include <bpf/bpf.h>
#include <errno.h>

#include "base/cleanup.h"

int mapwrite_put(int fd, const void *key, const void *value)
{
	return bpf_map_update_elem(fd, key, value, BPF_ANY) ? -errno : 0;
}

int mapwrite_remove(int fd, const void *key)
{
	return bpf_map_delete_elem(fd, key) ? -errno : 0;
}

int mapwrite_get(int fd, const void *key, void *ret)
{
	return bpf_map_lookup_elem(fd, key, ret) ? -errno : 0;
}

static int put_one_by_one(const struct map_info *map, const uint8_t *keys, const uint8_t *values,
			  uint32_t count)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < count; i++)
		err = mapwrite_put(map->fd, keys + (size_t)i * map->key_size,
				   values + (size_t)i * map->value_size);
	return err;
}

/*
 * A kernel that has no batches for this type of map says so (ENOTSUPP, EOPNOTSUPP), one that knows
 * no batches at all that it has no such command (EINVAL). Whatever it was, one by one tells more.
 */
int mapwrite_put_all(const struct map_info *map, const void *keys, const void *values,
		     uint32_t count)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options, .elem_flags = BPF_ANY);
	uint32_t done = count;

	if (count == 0)
		return 0;
	if (!bpf_map_update_batch(map->fd, keys, values, &done, &options) && done == count)
		return 0;
	return put_one_by_one(map, keys, values, count);
}

int mapwrite_create_like(const struct map_info *like, uint32_t flags, uint32_t entries)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags);
	int fd = bpf_map_create(like->type, like->name, like->key_size, like->value_size, entries,
				&options);

	return fd < 0 ? -errno : fd;
}

int mapwrite_inner_number(int fd, uint32_t index, uint32_t *ret)
{
	return bpf_map_lookup_elem(fd, &index, ret) ? -errno : 0;
}

int mapwrite_open_number(uint32_t number)
{
	int fd = bpf_map_get_fd_by_id(number);

	return fd < 0 ? -errno : fd;
}

int mapwrite_look_at(int fd, struct map_info *ret, uint32_t *ret_number)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	*ret = (struct map_info){
		.name = "",
		.fd = -1,
		.type = info.type,
		.key_size = info.key_size,
		.value_size = info.value_size,
		.max_entries = info.max_entries,
	};
	*ret_number = info.id;
	return 0;
}
