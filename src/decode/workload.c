// SPDX-License-Identifier: MIT
#include "decode/container_names.h"
#include "decode/decoder.h"
#include "decode/hostnames.h"

static bool add_pod(struct container_names *names, const struct container_ref *ref, struct buf *out)
{
	if (!container_names_find(names, ref, CONTAINER_PART_POD_NAMESPACE, out))
		return false;
	buf_add_char(out, '/');
	container_names_find(names, ref, CONTAINER_PART_POD, out);
	buf_add_char(out, '/');
	/* The group of the pod itself is in no container. */
	if (!container_names_find(names, ref, CONTAINER_PART_NAME, out))
		container_ref_add(ref, out);
	return true;
}

/* A path says it all already, so that one is not worse than a container's id. */
static int decode_workload(const struct decode_env *env, const struct decode_step *step,
			   const void *in, size_t len, struct buf *out)
{
	struct container_names *names = env->host ? env->host->containers : NULL;
	struct container_ref ref;

	(void)step;
	container_ref_parse(&ref, in, len);
	if (!names || !(ref.pod[0] ? add_pod(names, &ref, out)
				   : ref.id[0] && container_names_find(names, &ref,
								       CONTAINER_PART_NAME, out)))
		buf_add(out, in, len);
	return DECODE_OK;
}

DECODER(workload, .name = "workload",
	.doc = "path of a cgroup → NAMESPACE/POD/CONTAINER in a Kubernetes pod, the name of "
	       "another container that has one, else what it was",
	.takes = FORM_TEXT | FORM_NAME, .gives = FORM_NAME, .follows = FOLLOWS_CONTAINERS,
	.decode = decode_workload);
