// SPDX-License-Identifier: MIT
#include "decode/decoder.h"
#include "decode/wire_name.h"

/* RFC 4343, 2.1: a dot that separates nothing and the backslash are escaped, and all bytes that are
 * not printable, the blank among them. */
static void add_label(struct buf *out, const uint8_t *label, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (label[i] == '.' || label[i] == '\\')
			buf_printf(out, "\\%c", label[i]);
		else if (label[i] > ' ' && label[i] < 0x7f)
			buf_add_char(out, (char)label[i]);
		else
			buf_printf(out, "\\%03u", label[i]);
	}
}

static int decode_dns_name(const struct decode_env *env, const struct decode_step *step,
			   const void *in, size_t len, struct buf *out)
{
	(void)env;
	(void)step;
	wire_name_add(out, in, len, add_label);
	if (out->len == 0)
		buf_add_char(out, '.');
	return DECODE_OK;
}

DECODER(dns_name, .name = "dns_name",
	.doc = "DNS name in wire format → with dots, none at its end; other dots, backslashes and "
	       "what is not printable escaped as \\DDD (RFC 4343); of what is malformed, all bytes",
	.takes = FORM_BYTES, .gives = FORM_NAME, .decode = decode_dns_name);
