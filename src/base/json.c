// SPDX-License-Identifier: MIT
#include "base/json.h"

#include "base/utf8.h"

void json_add_string(struct buf *b, const char *text)
{
	_cleanup_buf_ struct buf valid = {0};

	utf8_add_valid(&valid, text, strlen(text));
	buf_add_char(b, '"');
	for (size_t i = 0; i < valid.len; i++) {
		unsigned char c = (unsigned char)valid.data[i];

		if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", c);
		else if (c == '\n')
			buf_add_str(b, "\\n");
		else if (c < 0x20)
			buf_printf(b, "\\u%04x", c);
		else
			buf_add_char(b, (char)c);
	}
	buf_add_char(b, '"');
}
