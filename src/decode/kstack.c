// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "decode/decoder.h"
#include "kernel/ksyms.h"

static int decode_kstack(const struct decode_env *env, const struct decode_step *step,
			 const void *in, size_t len, struct buf *out)
{
	const char *frames = in;
	int result = DECODE_OK;
	uint64_t address;

	(void)step;
	if (len % sizeof(address))
		return -EINVAL;
	for (size_t at = 0; at < len; at += sizeof(address)) {
		const char *name;

		memcpy(&address, frames + at, sizeof(address));
		if (address == 0)
			break;
		name = ksyms_nearest(env->ksyms, address);
		if (!name)
			result = DECODE_UNKNOWN;
		if (at)
			buf_add_char(out, '\n');
		buf_add_str(out, name ? name : "??");
	}
	return result;
}

DECODER(kstack, .name = "kstack",
	.doc = "kernel addresses of 8 bytes, to the first that is 0 → the function of each, one a "
	       "line, ?? where it is not known",
	.takes = FORM_BYTES, .gives = FORM_NAME, .size_multiple = 8, .reads_symbols = true,
	.decode = decode_kstack);
