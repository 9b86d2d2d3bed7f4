// SPDX-License-Identifier: MIT
#include "decode/containers.h"

static int decode_pod_namespace(const struct decode_env *env, const struct decode_step *step,
				const void *in, size_t len, struct buf *out)
{
	(void)step;
	return decode_pod_part(env, in, len, CONTAINER_PART_POD_NAMESPACE, false, out);
}

DECODER(pod_namespace, .name = "pod_namespace",
	.doc = "decimal cgroup id, or path of a cgroup → the Kubernetes namespace of the pod; "
	       "empty outside of pods, and where it is not known",
	.takes = FORM_DECIMAL | FORM_NAME, .gives = FORM_TEXT,
	.follows = FOLLOWS_CGROUPS | FOLLOWS_CONTAINERS, .prepare = decode_prepare_cgroups,
	.decode = decode_pod_namespace);
