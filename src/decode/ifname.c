// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "decode/decoder.h"
#include "kernel/links.h"

static int decode_ifname(const struct decode_env *env, const struct decode_step *step,
			 const void *in, size_t len, struct buf *out)
{
	char name[IF_NAMESIZE];
	uint32_t ifindex;

	(void)step;
	if (len != sizeof(ifindex))
		return -EINVAL;
	memcpy(&ifindex, in, sizeof(ifindex));
	if (!links_name(env->links, ifindex, name)) {
		buf_printf(out, "unknown:%u", ifindex);
		return DECODE_UNKNOWN;
	}
	buf_add_str(out, name);
	return DECODE_OK;
}

DECODER(ifname, .name = "ifname",
	.doc = "4 bytes of interface index or id (interface.bpf.h) → its name, else unknown:N",
	.takes = FORM_BYTES, .gives = FORM_NAME, .sizes = DECODER_SIZE(4), .follows = FOLLOWS_LINKS,
	.decode = decode_ifname);
