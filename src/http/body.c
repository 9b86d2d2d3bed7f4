// SPDX-License-Identifier: MIT
#include "http/body.h"

#include "base/macro.h"

/* Extensions and trailers say nothing to us. */
enum { OVERHEAD_MAX = 4096 };

unsigned body_begin(struct body *b, const struct head *h)
{
	*b = (struct body){.left = h->content_length};
	if (h->chunked)
		b->state = BODY_SIZE;
	else if (h->content_length)
		b->state = BODY_LENGTH;
	return h->content_length > BODY_MAX ? 413 : 0;
}

static unsigned take_size(struct body *b, char c)
{
	int digit = hex_digit(c);

	if (digit >= 0) {
		b->has_digits = true;
		b->left = b->left << 4 | (unsigned)digit;
		return b->left + b->content > BODY_MAX ? 413 : 0;
	}
	if (!b->has_digits)
		return 400;
	b->state = c == '\r' ? BODY_SIZE_LF : BODY_EXTENSION;
	return c == '\r' || c == ';' || c == ' ' || c == '\t' ? 0 : 400;
}

/* Within an extension or a trailer, which ends with its line. */
static unsigned skip_char(struct body *b, char c, enum body_state at_end)
{
	if (c == '\n' || c == '\0')
		return 400;
	if (c == '\r')
		b->state = at_end;
	return ++b->overhead > OVERHEAD_MAX ? 431 : 0;
}

static unsigned expect(struct body *b, char c, char expected, enum body_state next)
{
	b->state = next;
	return c == expected ? 0 : 400;
}

/* One byte that is no content. */
static unsigned take_char(struct body *b, char c)
{
	switch (b->state) {
	case BODY_SIZE:
		return take_size(b, c);
	case BODY_EXTENSION:
		return skip_char(b, c, BODY_SIZE_LF);
	case BODY_SIZE_LF:
		b->has_digits = false;
		return expect(b, c, '\n', b->left ? BODY_CHUNK : BODY_TRAILER_START);
	case BODY_CHUNK_CR:
		return expect(b, c, '\r', BODY_CHUNK_LF);
	case BODY_CHUNK_LF:
		return expect(b, c, '\n', BODY_SIZE);
	case BODY_TRAILER_START:
		if (c == '\r')
			return expect(b, c, '\r', BODY_LAST_LF);
		b->state = BODY_TRAILER;
		return skip_char(b, c, BODY_TRAILER_LF);
	case BODY_TRAILER:
		return skip_char(b, c, BODY_TRAILER_LF);
	case BODY_TRAILER_LF:
		return expect(b, c, '\n', BODY_TRAILER_START);
	case BODY_LAST_LF:
		return expect(b, c, '\n', BODY_DONE);
	case BODY_DONE:
	case BODY_LENGTH:
	case BODY_CHUNK:
		break;
	}
	return 0;
}

unsigned body_take(struct body *b, const char *data, size_t len, size_t *ret_used,
		   size_t *ret_content)
{
	size_t used = 0;

	*ret_content = 0;
	while (used < len && b->state != BODY_DONE) {
		if (b->state == BODY_LENGTH || b->state == BODY_CHUNK) {
			size_t content = (size_t)MIN(b->left, (uint64_t)(len - used));

			b->left -= content;
			b->content += content;
			if (b->left == 0)
				b->state = b->state == BODY_CHUNK ? BODY_CHUNK_CR : BODY_DONE;
			*ret_content = content;
			used += content;
			break;
		}
		unsigned status = take_char(b, data[used++]);

		if (status)
			return status;
	}
	*ret_used = used;
	return 0;
}
