// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "decode/decoder.h"

static int decode_uint(const struct decode_env *env, const struct decode_step *step, const void *in,
		       size_t len, struct buf *out)
{
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t n;

	(void)env;
	(void)step;
	switch (len) {
	case sizeof(u8):
		n = *(const uint8_t *)in;
		break;
	case sizeof(u16):
		memcpy(&u16, in, len);
		n = u16;
		break;
	case sizeof(u32):
		memcpy(&u32, in, len);
		n = u32;
		break;
	case sizeof(n):
		memcpy(&n, in, len);
		break;
	default:
		return -EINVAL;
	}
	buf_add_u64(out, n);
	return DECODE_OK;
}

DECODER(uint, .name = "uint", .doc = "1, 2, 4 or 8 bytes in host order → decimal",
	.takes = FORM_BYTES, .gives = FORM_NUMBER,
	.sizes = DECODER_SIZE(1) | DECODER_SIZE(2) | DECODER_SIZE(4) | DECODER_SIZE(8),
	.decode = decode_uint);
