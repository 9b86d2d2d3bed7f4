/* SPDX-License-Identifier: MIT */
/*
 * The head of an HTTP request (RFC 9112, sections 2 to 5), parsed where it lies. What could mean
 * two things to two readers is refused: bare line feeds, folded lines, blanks around names, lengths
 * said twice.
 *
 * Functions that refuse give back the status of the answer, 0 when all is well.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HEAD_MAX = 16 << 10, /* bytes, with the empty line at its end */
	HEAD_FIELDS_MAX = 100,
};

/* Offsets of two C strings in the head. */
struct head_field {
	uint16_t name;
	uint16_t value;
};

struct head {
	const char *text;   /* what was parsed; fields count from here */
	const char *method; /* as it was sent: methods are case-sensitive */
	const char *path;   /* decoded, without the query */
	const char *query;  /* as it was sent, without the '?'; NULL: none */
	uint64_t content_length;
	bool has_length;
	bool chunked;
	bool close;
	bool keep_alive; /* and not close */
	bool http_1_0;
	bool expects_continue;
	uint16_t n_fields;
	struct head_field fields[HEAD_FIELDS_MAX];
};

/* How many bytes at the start of @data are empty lines, which some clients send between
 * requests. */
size_t head_skip_blank(const char *data, size_t len);

/*
 * Looks for the end of the head that begins at @data, of which @len bytes are there. *scanned is
 * how far earlier calls have looked, 0 at first. *ret is its length with the empty line, or 0 when
 * that is yet to come.
 */
unsigned head_find_end(const char *data, size_t len, size_t *scanned, size_t *ret);

/* Parses the head of @len bytes at @data, which becomes pieces of text that @ret refers to. */
unsigned head_parse(char *data, size_t len, struct head *ret);

/* The value of the first field called @name, in any case; NULL when there is none. */
const char *head_find(const struct head *h, const char *name);

/* 0 to 15, or -1. */
int hex_digit(char c);
