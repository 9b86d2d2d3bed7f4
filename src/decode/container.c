// SPDX-License-Identifier: MIT
#include <errno.h>

#include "decode/containers.h"
#include "kernel/cgroups.h"

int decode_container_ref(const struct decode_env *env, const void *in, size_t len, struct buf *path,
			 struct container_ref *ret)
{
	enum cgroup_state state;
	uint64_t id;

	if (len && *(const char *)in == '/') {
		container_ref_parse(ret, in, len);
		return DECODE_OK;
	}
	if (decode_parse_decimal(in, len, &id))
		return -EINVAL;
	state = cgroups_path(env->cgroups, id, path);
	if (!buf_ok(path))
		return -ENOMEM;
	if (state == CGROUP_UNKNOWN)
		return -ENOENT;
	container_ref_parse(ret, path->data, path->len);
	return state == CGROUP_THERE ? DECODE_OK : DECODE_UNKNOWN;
}

int decode_unknown_container(const void *in, size_t len, struct buf *out)
{
	buf_printf(out, "unknown_cgroup_id:%.*s", (int)len, (const char *)in);
	return DECODE_UNKNOWN;
}

static int decode_container(const struct decode_env *env, const struct decode_step *step,
			    const void *in, size_t len, struct buf *out)
{
	_cleanup_buf_ struct buf path = {0};
	struct container_ref ref;
	int result = decode_container_ref(env, in, len, &path, &ref);

	(void)step;
	if (result == -ENOENT)
		return decode_unknown_container(in, len, out);
	if (result >= 0)
		container_ref_add(&ref, out);
	return result;
}

DECODER(container, .name = "container",
	.doc = "decimal cgroup id, or path of a cgroup → the container's short id or name, empty "
	       "outside of containers, else unknown_cgroup_id:N",
	.takes = FORM_DECIMAL | FORM_NAME, .gives = FORM_TEXT, .follows = FOLLOWS_CGROUPS,
	.prepare = decode_prepare_cgroups, .decode = decode_container);
