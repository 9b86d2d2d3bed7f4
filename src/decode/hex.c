// SPDX-License-Identifier: MIT
#include "decode/decoder.h"

static int decode_hex(const struct decode_env *env, const struct decode_step *step, const void *in,
		      size_t len, struct buf *out)
{
	const uint8_t *bytes = in;

	(void)env;
	(void)step;
	for (size_t i = 0; i < len; i++) {
		buf_add_char(out, "0123456789abcdef"[bytes[i] >> 4]);
		buf_add_char(out, "0123456789abcdef"[bytes[i] & 15]);
	}
	return DECODE_OK;
}

DECODER(hex, .name = "hex", .doc = "any bytes → lower-case hexadecimal", .takes = FORM_ANY,
	.gives = FORM_NAME, .decode = decode_hex);
