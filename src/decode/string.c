// SPDX-License-Identifier: MIT
#include <string.h>

#include "base/utf8.h"
#include "decode/decoder.h"

static int decode_string(const struct decode_env *env, const struct decode_step *step,
			 const void *in, size_t len, struct buf *out)
{
	(void)env;
	(void)step;
	/* Kernel names are bytes, Prometheus's labels are UTF-8. */
	utf8_add_valid(out, in, strnlen(in, len));
	return DECODE_OK;
}

DECODER(string, .name = "string", .doc = "bytes up to the first NUL → text, made valid UTF-8",
	.takes = FORM_ANY, .gives = FORM_TEXT, .decode = decode_string);
