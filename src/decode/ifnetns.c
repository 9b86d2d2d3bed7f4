// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "decode/decoder.h"
#include "kernel/links.h"

static int decode_ifnetns(const struct decode_env *env, const struct decode_step *step,
			  const void *in, size_t len, struct buf *out)
{
	struct link_info link;
	uint32_t id;

	(void)step;
	if (len != sizeof(id))
		return -EINVAL;
	memcpy(&id, in, sizeof(id));
	if (!links_get(env->links, id, &link)) {
		buf_add_char(out, '0');
		return DECODE_UNKNOWN;
	}
	buf_printf(out, "%" PRIu64, link.netns ? link.netns : links_own_netns(env->links));
	return DECODE_OK;
}

DECODER(ifnetns, .name = "ifnetns",
	.doc = "4 bytes of interface index or id (interface.bpf.h) → decimal inode number of its "
	       "network namespace, for the decoder netns; 0 when it is unknown",
	.takes = FORM_BYTES, .gives = FORM_NUMBER, .sizes = DECODER_SIZE(4),
	.follows = FOLLOWS_LINKS, .decode = decode_ifnetns);
