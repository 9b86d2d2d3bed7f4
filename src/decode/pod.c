// SPDX-License-Identifier: MIT
#include <errno.h>

#include "decode/containers.h"
#include "decode/hostnames.h"

int decode_pod_part(const struct decode_env *env, const void *in, size_t len,
		    enum container_part part, bool or_uid, struct buf *out)
{
	_cleanup_buf_ struct buf path = {0};
	struct container_ref ref;
	int result = decode_container_ref(env, in, len, &path, &ref);

	if (result < 0)
		return result == -ENOENT ? DECODE_UNKNOWN : result;
	if (!ref.pod[0] || container_names_find(env->host->containers, &ref, part, out))
		return result;
	if (or_uid)
		buf_add_str(out, ref.pod);
	return DECODE_UNKNOWN;
}

static int decode_pod(const struct decode_env *env, const struct decode_step *step, const void *in,
		      size_t len, struct buf *out)
{
	(void)step;
	return decode_pod_part(env, in, len, CONTAINER_PART_POD, true, out);
}

DECODER(pod, .name = "pod",
	.doc = "decimal cgroup id, or path of a cgroup → the name of the Kubernetes pod, else its "
	       "UID; empty outside of pods",
	.takes = FORM_DECIMAL | FORM_NAME, .gives = FORM_TEXT,
	.follows = FOLLOWS_CGROUPS | FOLLOWS_CONTAINERS, .prepare = decode_prepare_cgroups,
	.decode = decode_pod);
