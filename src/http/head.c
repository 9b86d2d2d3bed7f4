// SPDX-License-Identifier: MIT
#include "http/head.h"

#include <string.h>
#include <strings.h>

#include "base/macro.h"

/* RFC 9110, section 5.6.2. */
static bool is_token_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(const char *text)
{
	const char *at = text;

	while (is_token_char(*at))
		at++;
	return at > text && !*at;
}

static bool is_control(char c)
{
	return ((unsigned char)c < ' ' && c != '\t') || c == 0x7f;
}

size_t head_skip_blank(const char *data, size_t len)
{
	size_t at = 0;

	while (len - at >= 2 && data[at] == '\r' && data[at + 1] == '\n')
		at += 2;
	return at;
}

/* What begins with anything but a method or an empty line is no HTTP: TLS, say. */
static bool may_begin_head(const char *data, size_t len)
{
	return len == 0 || is_token_char(data[0]) || (data[0] == '\r' && len == 1);
}

unsigned head_find_end(const char *data, size_t len, size_t *scanned, size_t *ret)
{
	size_t end = MIN(len, (size_t)HEAD_MAX);

	*ret = 0;
	if (!may_begin_head(data, len))
		return 400;
	for (size_t at = *scanned; at < end; at++) {
		bool after_cr = at && data[at - 1] == '\r';

		if (after_cr != (data[at] == '\n'))
			return 400;
		if (after_cr && at >= 3 && data[at - 2] == '\n') {
			*ret = at + 1;
			return 0;
		}
		if (is_control(data[at]) && data[at] != '\r' && data[at] != '\n')
			return 400;
	}
	*scanned = end;
	if (len < HEAD_MAX)
		return 0;
	return memchr(data, '\n', end) ? 431 : 414;
}

/* ---- the request line ---- */

int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %41 → A, in place. */
static unsigned decode_path(char *path)
{
	char *to = path;

	for (const char *from = path; *from; from++) {
		int high, low;

		if (*from != '%') {
			*to++ = *from;
			continue;
		}
		high = hex_digit(from[1]);
		low = high < 0 ? -1 : hex_digit(from[2]);
		if (low < 0 || high + low == 0)
			return 400;
		*to++ = (char)(high << 4 | low);
		from += 2;
	}
	*to = '\0';
	return 0;
}

/* "http://host/path" is what a proxy is asked for, and means the same (RFC 9112, 3.2.2). */
static char *skip_authority(char *target)
{
	static const char *const schemes[] = {"http://", "https://"};

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		size_t len = strlen(schemes[i]);

		if (strncasecmp(target, schemes[i], len) == 0)
			return target + len + strcspn(target + len, "/?");
	}
	return target;
}

static unsigned parse_target(char *target, struct head *h)
{
	char *query;

	if (STREQ(target, "*")) {
		h->path = target;
		return 0;
	}
	for (const char *at = target; *at; at++) {
		if (*at <= ' ' || *at == '#') /* signed: also what is no ASCII */
			return 400;
	}
	char *path = skip_authority(target);

	if (path != target && *path != '/')
		*--path = '/'; /* no path is the root; what stood there has been read */
	if (*path != '/')
		return 400;
	query = strchr(path, '?');
	if (query)
		*query++ = '\0';
	h->query = query;
	h->path = path;
	return decode_path(path);
}

/* "HTTP/1.1" */
static unsigned parse_version(const char *text, struct head *h)
{
	bool is_version = strncmp(text, "HTTP/", 5) == 0 && text[5] >= '0' && text[5] <= '9' &&
			  text[6] == '.' && text[7] >= '0' && text[7] <= '9' && !text[8];

	if (!is_version)
		return 400;
	if (text[5] != '1')
		return 505;
	h->http_1_0 = text[7] == '0';
	h->keep_alive = !h->http_1_0;
	return 0;
}

static unsigned parse_request_line(char *line, struct head *h)
{
	char *target = strchr(line, ' ');
	char *version = target ? strchr(target + 1, ' ') : NULL;
	unsigned status;

	if (!version)
		return 400;
	*target++ = '\0';
	*version++ = '\0';
	h->method = line;
	if (!is_token(line))
		return 400;
	status = parse_version(version, h);
	return status ? status : parse_target(target, h);
}

/* ---- fields that say how the request is to be read ---- */

static unsigned note_length(struct head *h, const char *value)
{
	size_t digits = strspn(value, "0123456789");

	if (h->has_length || digits == 0 || value[digits])
		return 400;
	if (digits > 18) /* far beyond what is taken, and 64 bits hold it */
		return 413;
	h->has_length = true;
	for (; *value; value++)
		h->content_length = h->content_length * 10 + (uint64_t)(*value - '0');
	return 0;
}

static unsigned note_transfer_encoding(struct head *h, const char *value)
{
	if (h->chunked || h->http_1_0)
		return 400;
	h->chunked = true;
	return strcasecmp(value, "chunked") == 0 ? 0 : 501;
}

/* "keep-alive, Upgrade"; a `close` anywhere is the last word. */
static unsigned note_connection(struct head *h, const char *value)
{
	while (*value) {
		size_t len;

		value += strspn(value, ", \t");
		len = strcspn(value, ", \t");
		if (len == 5 && strncasecmp(value, "close", len) == 0)
			h->close = true;
		else if (len == 10 && strncasecmp(value, "keep-alive", len) == 0)
			h->keep_alive = true;
		value += len;
	}
	return 0;
}

static unsigned note_expect(struct head *h, const char *value)
{
	h->expects_continue = !h->http_1_0; /* 1.0 has no interim answers */
	return strcasecmp(value, "100-continue") == 0 ? 0 : 417;
}

static const struct {
	const char *name;
	unsigned (*note)(struct head *h, const char *value);
} noted[] = {
	{"Content-Length", note_length},
	{"Transfer-Encoding", note_transfer_encoding},
	{"Connection", note_connection},
	{"Expect", note_expect},
};

static unsigned note_field(struct head *h, const char *name, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(noted); i++) {
		if (strcasecmp(noted[i].name, name) == 0)
			return noted[i].note(h, value);
	}
	return 0;
}

/* ---- all fields ---- */

static char *trim(char *text)
{
	char *end;

	text += strspn(text, " \t");
	end = text + strlen(text);
	while (end > text && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	return text;
}

static unsigned parse_field(char *line, struct head *h)
{
	char *colon = strchr(line, ':');
	char *value;

	if (!colon)
		return 400;
	*colon = '\0';
	if (!is_token(line)) /* also a folded line, which begins with a blank */
		return 400;
	if (h->n_fields == HEAD_FIELDS_MAX)
		return 431;
	value = trim(colon + 1);
	h->fields[h->n_fields++] =
		(struct head_field){(uint16_t)(line - h->text), (uint16_t)(value - h->text)};
	return note_field(h, line, value);
}

static unsigned count_fields(const struct head *h, const char *name)
{
	unsigned n = 0;

	for (size_t i = 0; i < h->n_fields; i++)
		n += strcasecmp(h->text + h->fields[i].name, name) == 0;
	return n;
}

/* What no single field shows. */
static unsigned check_head(struct head *h)
{
	unsigned hosts = count_fields(h, "Host");

	h->keep_alive &= !h->close;
	if (hosts > 1 || (hosts == 0 && !h->http_1_0))
		return 400;
	/* Whoever believes one and whoever believes the other would see different requests. */
	return h->has_length && h->chunked ? 400 : 0;
}

/* The line at *at as a C string; *at is behind it then. */
static char *take_line(char **at)
{
	char *line = *at, *end = rawmemchr(line, '\r');

	*end = '\0';
	*at = end + 2;
	return line;
}

unsigned head_parse(char *data, size_t len, struct head *ret)
{
	char *at = data, *end = data + len - 2; /* the empty line */
	unsigned status;

	*ret = (struct head){.text = data};
	status = parse_request_line(take_line(&at), ret);
	while (!status && at < end)
		status = parse_field(take_line(&at), ret);
	return status ? status : check_head(ret);
}

const char *head_find(const struct head *h, const char *name)
{
	for (size_t i = 0; i < h->n_fields; i++) {
		if (strcasecmp(h->text + h->fields[i].name, name) == 0)
			return h->text + h->fields[i].value;
	}
	return NULL;
}
