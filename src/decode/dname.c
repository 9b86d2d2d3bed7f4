// SPDX-License-Identifier: MIT
#include "decode/decoder.h"

/* RFC 1035, 3.1: a length byte and so many bytes of each label, the root's length is 0. Longer ones
 * are pointers into a message (4.1.4), which a key does not have. */
enum { LONGEST_LABEL = 63 };

static int decode_dname(const struct decode_env *env, const struct decode_step *step,
			const void *in, size_t len, struct buf *out)
{
	const uint8_t *bytes = in;
	size_t label;

	(void)env;
	(void)step;
	for (size_t at = 0; at < len && bytes[at]; at += 1 + label) {
		label = bytes[at];
		if (label > LONGEST_LABEL || label > len - at - 1) {
			buf_reset(out);
			buf_add(out, in, len);
			return DECODE_OK;
		}
		buf_add(out, bytes + at + 1, label);
		/* A name that was cut at the root, as `string` does, has no dot at its end. */
		if (at + 1 + label < len)
			buf_add_char(out, '.');
	}
	if (out->len == 0)
		buf_add_char(out, '.');
	return DECODE_OK;
}

DECODER(dname, .name = "dname",
	.doc = "DNS name in wire format → with dots; without the last one after `string`; what is "
	       "malformed is passed on",
	.takes = FORM_BYTES | FORM_TEXT, .gives = FORM_NAME, .decode = decode_dname);
