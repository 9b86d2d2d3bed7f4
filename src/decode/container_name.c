// SPDX-License-Identifier: MIT
#include <errno.h>

#include "decode/containers.h"
#include "decode/hostnames.h"

/* The id where the host's files have no name, as for the one that holds a pod's namespaces. */
static int decode_container_name(const struct decode_env *env, const struct decode_step *step,
				 const void *in, size_t len, struct buf *out)
{
	_cleanup_buf_ struct buf path = {0};
	struct container_ref ref;
	int result = decode_container_ref(env, in, len, &path, &ref);

	(void)step;
	if (result == -ENOENT)
		return decode_unknown_container(in, len, out);
	if (result < 0)
		return result;
	if (ref.id[0] &&
	    container_names_find(env->host->containers, &ref, CONTAINER_PART_NAME, out))
		return result;
	container_ref_add(&ref, out);
	return ref.id[0] ? DECODE_UNKNOWN : result;
}

DECODER(container_name, .name = "container_name",
	.doc = "decimal cgroup id, or path of a cgroup → the container's name, as kubelet, docker "
	       "or podman have it, else its short id; empty outside of containers",
	.takes = FORM_DECIMAL | FORM_NAME, .gives = FORM_TEXT,
	.follows = FOLLOWS_CGROUPS | FOLLOWS_CONTAINERS, .prepare = decode_prepare_cgroups,
	.decode = decode_container_name);
