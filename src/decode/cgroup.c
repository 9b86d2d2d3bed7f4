// SPDX-License-Identifier: MIT
#include <errno.h>

#include "decode/decoder.h"
#include "kernel/cgroups.h"

int decode_prepare_cgroups(const struct decoder_setup *setup, struct decode_step *step)
{
	struct error error;
	int err;

	if (!setup->env->cgroups)
		return 0;
	err = cgroups_start(setup->env->cgroups, &error);
	if (err == -ENOMEM)
		return err;
	if (err)
		report_warning(setup->report, setup->source, step->config->name.place,
			       "all cgroups will be unknown: %s", error.text);
	return 0;
}

/* One that went keeps its name, for as long as anyone counted it. */
static int decode_cgroup(const struct decode_env *env, const struct decode_step *step,
			 const void *in, size_t len, struct buf *out)
{
	uint64_t id;

	(void)step;
	if (decode_parse_decimal(in, len, &id))
		return -EINVAL;
	switch (cgroups_path(env->cgroups, id, out)) {
	case CGROUP_THERE:
		return DECODE_OK;
	case CGROUP_GONE:
		return DECODE_UNKNOWN;
	case CGROUP_UNKNOWN:
		break;
	}
	buf_add_str(out, "unknown_cgroup_id:");
	buf_add_u64(out, id);
	return DECODE_UNKNOWN;
}

DECODER(cgroup, .name = "cgroup", .doc = "decimal cgroup id → its path, else unknown_cgroup_id:N",
	.takes = FORM_DECIMAL, .gives = FORM_NAME, .follows = FOLLOWS_CGROUPS,
	.prepare = decode_prepare_cgroups, .decode = decode_cgroup);
