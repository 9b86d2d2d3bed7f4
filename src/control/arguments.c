// SPDX-License-Identifier: MIT
#include "control/arguments.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %41 → A, + → blank (WHATWG URL, application/x-www-form-urlencoded); in place. */
static int decode(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		int high, low;

		if (*from != '%') {
			*to++ = *from;
			if (*from == '+')
				to[-1] = ' ';
			continue;
		}
		high = digit(from[1]);
		low = high < 0 ? -1 : digit(from[2]);
		if (low < 0 || high + low == 0)
			return -EINVAL;
		*to++ = (char)(high << 4 | low);
		from += 2;
	}
	*to = '\0';
	return 0;
}

int arguments_parse(const char *query, struct arguments *ret, struct error *e)
{
	char *rest, *pair;

	*ret = (struct arguments){.text = strdup(query ? query : "")};
	if (!ret->text)
		return error_set(e, -ENOMEM, "no memory");
	rest = ret->text;
	while ((pair = strsep(&rest, "&"))) {
		char *name = strsep(&pair, "=");

		if (*name == '\0')
			continue;
		if (ret->count == ARGUMENTS_MAX)
			return error_set_usage(e, "more than %d arguments", ARGUMENTS_MAX);
		if (decode(name) || (pair && decode(pair)))
			return error_set_usage(e, "an argument is no text: '%s'", name);
		ret->items[ret->count++] = (struct argument){name, pair ? pair : ""};
	}
	return 0;
}

int arguments_parse_request(const char *query, const void *body, size_t len, struct arguments *ret,
			    struct error *e)
{
	_cleanup_buf_ struct buf text = {0};

	*ret = (struct arguments){0};
	if (len && memchr(body, '\0', len))
		return error_set_usage(e, "the body is no text");
	buf_add_str(&text, query ? query : "");
	if (len)
		buf_add_char(&text, '&');
	buf_add(&text, body, len);
	return buf_ok(&text) ? arguments_parse(buf_str(&text), ret, e)
			     : error_set(e, -ENOMEM, "no memory");
}

void arguments_free(struct arguments *a)
{
	free(a->text);
	*a = (struct arguments){0};
}

const char *arguments_find(const struct arguments *a, const char *name)
{
	const char *found = NULL;

	for (size_t i = 0; i < a->count; i++) {
		if (STREQ(a->items[i].name, name))
			found = a->items[i].value;
	}
	return found;
}

static void add_encoded(struct buf *path, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		/* RFC 3986, section 2.3: unreserved. */
		if (isalnum(c) || strchr("-._~", c))
			buf_add_char(path, (char)c);
		else
			buf_printf(path, "%%%02X", c);
	}
}

void argument_add(struct buf *path, const char *name, const char *value)
{
	if (!value)
		return;
	buf_add_char(path, path->len && memchr(path->data, '?', path->len) ? '&' : '?');
	add_encoded(path, name);
	buf_add_char(path, '=');
	add_encoded(path, value);
}
