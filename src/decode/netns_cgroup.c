// SPDX-License-Identifier: MIT
#include <errno.h>

#include "decode/decoder.h"
#include "decode/hostnames.h"
#include "kernel/netnames.h"
#include "kernel/netowners.h"

/* The host's own is everyone's who has no other. */
static int decode_netns_cgroup(const struct decode_env *env, const struct decode_step *step,
			       const void *in, size_t len, struct buf *out)
{
	const struct hostnames *host = env->host;
	uint64_t inode;
	bool is_host;

	(void)step;
	if (decode_parse_decimal(in, len, &inode))
		return -EINVAL;
	is_host = netnames_is_host(host->netnames, inode);
	if (!is_host &&
	    netowners_cgroup(host->netowners, inode, netnames_generation(host->netnames), out))
		return DECODE_OK;
	buf_add_char(out, '/');
	return is_host ? DECODE_OK : DECODE_UNKNOWN;
}

DECODER(netns_cgroup, .name = "netns_cgroup",
	.doc = "decimal inode number of a network namespace (net->ns.inum) → the cgroup of its "
	       "first process, for container, pod and their like; / for the host's, and where it "
	       "is not known",
	.takes = FORM_DECIMAL, .gives = FORM_NAME, .follows = FOLLOWS_NETNS,
	.decode = decode_netns_cgroup);
