// SPDX-License-Identifier: MIT
#include <errno.h>

#include "decode/decoder.h"
#include "decode/hostnames.h"
#include "kernel/netnames.h"

static int decode_netns(const struct decode_env *env, const struct decode_step *step,
			const void *in, size_t len, struct buf *out)
{
	uint64_t inode;

	(void)step;
	if (decode_parse_decimal(in, len, &inode))
		return -EINVAL;
	if (netnames_name(env->host->netnames, inode, out))
		return DECODE_OK;
	buf_printf(out, "unknown:%.*s", (int)len, (const char *)in);
	return DECODE_UNKNOWN;
}

DECODER(netns, .name = "netns",
	.doc = "decimal inode number of a network namespace (net->ns.inum) → its name in "
	       "/run/netns, host for that of process 1, else unknown:N",
	.takes = FORM_DECIMAL, .gives = FORM_NAME, .follows = FOLLOWS_NETNS,
	.decode = decode_netns);
