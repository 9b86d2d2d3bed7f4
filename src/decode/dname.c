// SPDX-License-Identifier: MIT
#include "decode/decoder.h"
#include "decode/wire_name.h"

static void add_label(struct buf *out, const uint8_t *label, size_t len)
{
	buf_add(out, label, len);
}

static int decode_dname(const struct decode_env *env, const struct decode_step *step,
			const void *in, size_t len, struct buf *out)
{
	(void)env;
	(void)step;
	/* A name that was cut at the root, as `string` does, has no dot at its end. */
	if (wire_name_add(out, in, len, add_label) || out->len == 0)
		buf_add_char(out, '.');
	return DECODE_OK;
}

DECODER(dname, .name = "dname",
	.doc = "DNS name in wire format → with dots; without the last one after `string`; what is "
	       "malformed is passed on",
	.takes = FORM_BYTES | FORM_TEXT, .gives = FORM_NAME, .decode = decode_dname);
