/* SPDX-License-Identifier: MIT */
/*
 * Where the body of a request ends (RFC 9112, sections 6 and 7): after Content-Length bytes, or
 * after the last chunk and its trailers. Holds nothing of it.
 */
#pragma once

#include "http/head.h"

/* Bodies that nobody wants are read and forgotten up to this; larger ones are refused. */
enum { BODY_MAX = 8 << 20 };

enum body_state {
	BODY_DONE,
	BODY_LENGTH, /* `left` bytes of content and then the end */
	BODY_SIZE,   /* within the size of a chunk */
	BODY_EXTENSION,
	BODY_SIZE_LF,
	BODY_CHUNK,    /* `left` bytes of content */
	BODY_CHUNK_CR, /* and the line end behind it */
	BODY_CHUNK_LF,
	BODY_TRAILER_START, /* first byte of a line behind the last chunk */
	BODY_TRAILER,
	BODY_TRAILER_LF,
	BODY_LAST_LF,
};

struct body {
	enum body_state state;
	bool has_digits;
	uint64_t left;
	uint64_t content;  /* bytes of it so far */
	uint32_t overhead; /* bytes of extensions and trailers so far */
};

/* 0, or the status of the refusal. */
unsigned body_begin(struct body *b, const struct head *h);

/*
 * Takes the next piece out of @data: *ret_used of its bytes, of which the last *ret_content are
 * content. To be called until all is used or the state is BODY_DONE. 0, or the status of the
 * refusal.
 */
unsigned body_take(struct body *b, const char *data, size_t len, size_t *ret_used,
		   size_t *ret_content);
