// SPDX-License-Identifier: MIT
#include "decode/wire_name.h"

/* A length byte and so many bytes of each label; the root's length is 0. Longer ones are pointers
 * into a message (RFC 1035, 4.1.4), which a key does not have. */
enum { LONGEST_LABEL = 63 };

bool wire_name_add(struct buf *out, const void *in, size_t len, wire_label_fn add_label)
{
	const uint8_t *bytes = in;
	size_t at = 0, label;

	for (; at < len && bytes[at]; at += 1 + label) {
		label = bytes[at];
		if (label > LONGEST_LABEL || label > len - at - 1) {
			buf_reset(out);
			add_label(out, bytes, len);
			return false;
		}
		if (at > 0)
			buf_add_char(out, '.');
		add_label(out, bytes + at + 1, label);
	}
	return at < len;
}
