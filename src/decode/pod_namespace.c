// SPDX-License-Identifier: MIT
#include <errno.h>

#include "decode/container_names.h"
#include "decode/decoder.h"
#include "decode/hostnames.h"

static int decode_pod_namespace(const struct decode_env *env, const struct decode_step *step,
				const void *in, size_t len, struct buf *out)
{
	_cleanup_buf_ struct buf path = {0};
	struct container_ref ref;
	int result = decode_container_ref(env, in, len, &path, &ref);

	(void)step;
	if (result < 0)
		return result == -ENOENT ? DECODE_UNKNOWN : result;
	if (!ref.pod[0] ||
	    container_names_find(env->host->containers, &ref, CONTAINER_PART_POD_NAMESPACE, out))
		return result;
	return DECODE_UNKNOWN;
}

DECODER(pod_namespace, .name = "pod_namespace",
	.doc = "decimal cgroup id, or path of a cgroup → the Kubernetes namespace of the pod; "
	       "empty "
	       "outside of pods, and where it is not known",
	.takes = FORM_DECIMAL | FORM_NAME, .gives = FORM_TEXT,
	.follows = FOLLOWS_CGROUPS | FOLLOWS_CONTAINERS, .prepare = decode_prepare_cgroups,
	.decode = decode_pod_namespace);
