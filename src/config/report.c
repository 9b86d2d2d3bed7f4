// SPDX-License-Identifier: MIT
#include "config/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

/* Characters of a source line that are shown; of a longer one, the part around the mark. */
enum { LINE_SHOWN = 120, LINE_BEFORE_MARK = 60 };

#define ELLIPSIS    "\xe2\x80\xa6"
#define REPLACEMENT "\xef\xbf\xbd"

void source_free(struct source *s)
{
	free(s->name);
	free(s->text);
	*s = (struct source){0};
}

void report_free(struct report *r)
{
	buf_free(&r->text);
	buf_free(&r->first);
	*r = (struct report){.lenient = r->lenient};
}

/* Bytes of the character at @s: a valid UTF-8 sequence, or one stray byte. */
static size_t character_length(const char *s, size_t len)
{
	return MAX(utf8_sequence(s, len), (size_t)1);
}

/* What a file holds goes to a terminal: control characters must not get there. */
static void add_character(struct buf *b, const char *s, size_t len)
{
	unsigned char c = (unsigned char)s[0];

	if (utf8_sequence(s, len) == len && (c >= 0x20 || c == '\t') && c != 0x7f)
		buf_add(b, s, len);
	else
		buf_add_str(b, REPLACEMENT);
}

static void add_printable(struct buf *b, const char *s, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		n = character_length(s + i, len - i);
		add_character(b, s + i, n);
	}
}

struct line {
	const char *text;
	size_t len;
	size_t characters;
};

/* Line @number of @s without its line break; false if there is none. */
static bool find_line(const struct source *s, uint32_t number, struct line *ret)
{
	const char *at = s->text, *end, *stop;

	if (number == 0 || !at)
		return false;
	end = at + s->len;
	while (--number) {
		at = memchr(at, '\n', (size_t)(end - at));
		if (!at)
			return false;
		at++;
	}
	stop = memchr(at, '\n', (size_t)(end - at));
	stop = stop ? stop : end;
	if (stop > at && stop[-1] == '\r')
		stop--;
	/* A byte order mark is no character of the line. */
	if (at == s->text && stop - at >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
		at += 3;
	*ret = (struct line){.text = at, .len = (size_t)(stop - at)};
	for (size_t i = 0; i < ret->len; ret->characters++)
		i += character_length(at + i, ret->len - i);
	return true;
}

/* Bytes of @line before column @column. */
static size_t column_offset(const struct line *line, uint32_t column)
{
	size_t at = 0;

	while (--column && at < line->len)
		at += character_length(line->text + at, line->len - at);
	return at;
}

struct place source_place_within(const struct source *s, struct place at, const char *text,
				 size_t offset)
{
	struct line line;
	size_t from, column;

	if (at.column == 0 || !find_line(s, at.line, &line))
		return at;
	from = column_offset(&line, at.column);
	column = at.column;
	if (from < line.len && strchr("'\"", line.text[from])) {
		from++;
		column++;
	}
	if (line.len - from < offset || memcmp(line.text + from, text, offset) != 0)
		return at;
	for (size_t i = 0; i < offset; column++)
		i += character_length(text + i, offset - i);
	return (struct place){at.line, (uint32_t)column, 1};
}

/* Appends the part of @line that is shown, and to @caret what stands below it. */
static void add_line(struct buf *b, struct buf *caret, const struct line *line, struct place at)
{
	size_t first = 1, column = 1;

	if (line->characters > LINE_SHOWN && at.column > LINE_BEFORE_MARK) {
		first = at.column - LINE_BEFORE_MARK;
		buf_add_str(b, ELLIPSIS);
		buf_add_char(caret, ' ');
	}
	for (size_t i = 0, n; i < line->len && column < first + LINE_SHOWN; i += n, column++) {
		const char *c = line->text + i;

		n = character_length(c, line->len - i);
		if (column < first)
			continue;
		add_character(b, c, n);
		if (column < at.column)
			buf_add_char(caret, *c == '\t' ? '\t' : ' ');
		else if (column < at.column + at.width)
			buf_add_char(caret, column == at.column ? '^' : '~');
	}
	if (column <= line->characters)
		buf_add_str(b, ELLIPSIS);
	if (at.column >= column) { /* behind the line's end: something is missing there */
		for (; column < at.column; column++)
			buf_add_char(caret, ' ');
		buf_add_char(caret, '^');
	}
	buf_add_char(b, '\n');
	buf_add_char(caret, '\n');
}

static void add_source_line(struct buf *b, const struct source *s, struct place at)
{
	_cleanup_buf_ struct buf caret = {0};
	struct line line;

	if (!find_line(s, at.line, &line))
		return;
	/* A column from elsewhere than this text must not make lines of blanks. */
	at.column = (uint32_t)MIN((size_t)at.column, line.characters + 1);
	at.width = MAX(at.width, 1U);
	add_line(b, &caret, &line, at);
	buf_add(b, caret.data, caret.len);
}

enum { SENTENCE_MOST = 1024 };

/* "name:line:column: " */
static void add_place(struct buf *b, const struct source *s, struct place at)
{
	add_printable(b, s->name, strlen(s->name));
	if (at.line)
		buf_printf(b, ":%u:%u", at.line, at.column);
	buf_add_str(b, ": ");
}

static void format_message(struct buf *b, const struct source *s, struct place at, const char *kind,
			   const char *sentence)
{
	add_place(b, s, at);
	buf_printf(b, "%s: ", kind);
	add_printable(b, sentence, strlen(sentence));
	buf_add_char(b, '\n');
	add_source_line(b, s, at);
}

static void add_message(struct report *r, const struct source *s, struct place at, const char *kind,
			const char *sentence)
{
	_cleanup_buf_ struct buf message = {0};
	unsigned shown = r->errors + r->warnings;

	if (shown > REPORT_MOST_SHOWN)
		return;
	if (shown == REPORT_MOST_SHOWN) {
		buf_printf(&r->text, "More than %d messages; the rest is not shown.\n",
			   REPORT_MOST_SHOWN);
		return;
	}
	format_message(&message, s, at, kind, sentence);
	/* What an alias repeats is wrong once, however often it is used. */
	if (r->text.len && memmem(r->text.data, r->text.len, message.data, message.len))
		return;
	buf_add(&r->text, message.data, message.len);
}

PRINTF_LIKE(4, 0)
static int add_error(struct report *r, const struct source *s, struct place at, const char *fmt,
		     va_list args)
{
	char sentence[SENTENCE_MOST];

	vsnprintf(sentence, sizeof(sentence), fmt, args);
	add_message(r, s, at, "error", sentence);
	if (r->first.len == 0) {
		add_place(&r->first, s, at);
		add_printable(&r->first, sentence, strlen(sentence));
	}
	r->errors++;
	return -EINVAL;
}

PRINTF_LIKE(4, 0)
static int add_warning(struct report *r, const struct source *s, struct place at, const char *fmt,
		       va_list args)
{
	char sentence[SENTENCE_MOST];

	vsnprintf(sentence, sizeof(sentence), fmt, args);
	add_message(r, s, at, "warning", sentence);
	r->warnings++;
	return 0;
}

int(report_error)(struct report *r, const struct source *s, struct place at, const char *fmt, ...)
{
	va_list args;
	int err;

	va_start(args, fmt);
	err = add_error(r, s, at, fmt, args);
	va_end(args);
	return err;
}

int report_warning(struct report *r, const struct source *s, struct place at, const char *fmt, ...)
{
	va_list args;
	int err;

	va_start(args, fmt);
	err = add_warning(r, s, at, fmt, args);
	va_end(args);
	return err;
}

int report_lenient(struct report *r, const struct source *s, struct place at, const char *fmt, ...)
{
	va_list args;
	int err;

	va_start(args, fmt);
	err = r->lenient ? add_warning(r, s, at, fmt, args) : add_error(r, s, at, fmt, args);
	va_end(args);
	return err;
}
