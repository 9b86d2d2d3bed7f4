// SPDX-License-Identifier: MIT
#include "metrics/family.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static const char *escape_of(char c)
{
	switch (c) {
	case '\\':
		return "\\\\";
	case '"':
		return "\\\"";
	case '\n':
		return "\\n";
	case '\0':
		return UTF8_REPLACEMENT;
	default:
		return NULL;
	}
}

void label_text_add(struct buf *b, const char *name, const char *value, size_t len)
{
	if (b->len)
		buf_add_char(b, ',');
	buf_add_str(b, name);
	buf_add_str(b, "=\"");
	for (size_t i = 0; i < len;) {
		const char *escape = escape_of(value[i]);
		size_t n = utf8_sequence(value + i, len - i);

		if (escape)
			buf_add_str(b, escape);
		else
			utf8_add_valid(b, value + i, MAX(n, (size_t)1));
		i += MAX(n, (size_t)1);
	}
	buf_add_char(b, '"');
}

void label_text_add_str(struct buf *b, const char *name, const char *value)
{
	label_text_add(b, name, value, strlen(value));
}

bool label_text_next(struct label_text *rest, struct label_pair *ret)
{
	const char *at = rest->text, *end;

	if (rest->len == 0)
		return false;
	end = at + rest->len;
	ret->name = at;
	while (*at != '=')
		at++;
	ret->name_len = (size_t)(at - ret->name);
	ret->value = at += 2; /* ="*/
	ret->escapes = 0;
	for (; *at != '"'; at++) {
		if (*at == '\\') {
			ret->escapes++;
			at++;
		}
	}
	ret->value_len = (size_t)(at - ret->value);
	at += at + 1 < end ? 2 : 1; /* the quote, and a comma */
	*rest = (struct label_text){at, (size_t)(end - at)};
	return true;
}

size_t family_base_len(const struct family *f)
{
	static const char total[] = "_total";
	size_t len = strlen(f->name), more = sizeof(total) - 1;

	return f->type == METRIC_COUNTER && len > more && STREQ(f->name + len - more, total)
		       ? len - more
		       : len;
}

const char *family_unit(const char *name, size_t len)
{
	static const char *const units[] = {"seconds", "bytes",   "ratio",  "celsius", "meters",
					    "volts",   "amperes", "joules", "grams"};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		size_t n = strlen(units[i]);

		if (len > n + 1 && name[len - n - 1] == '_' &&
		    memcmp(name + len - n, units[i], n) == 0)
			return units[i];
	}
	return NULL;
}

int family_init(struct family *f, const char *prefix, const char *name, const char *help,
		enum metric_type type)
{
	*f = (struct family){.type = type};
	f->help = strdup(help);
	if (!f->help)
		return -ENOMEM;
	if (asprintf(&f->name, "%s%s%s", prefix, *prefix ? "_" : "", name) < 0) {
		f->name = NULL;
		family_free(f);
		return -ENOMEM;
	}
	return 0;
}

void family_free(struct family *f)
{
	free(f->name);
	free(f->help);
	*f = (struct family){0};
}

static bool is_part_of(const char *name, const struct family *histogram)
{
	static const char *const parts[] = {"_bucket", "_sum", "_count"};
	size_t len = strlen(histogram->name);

	if (histogram->type != METRIC_HISTOGRAM || strncmp(name, histogram->name, len) != 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (STREQ(name + len, parts[i]))
			return true;
	}
	return false;
}

bool family_collides(const struct family *a, const struct family *b)
{
	return STREQ(a->name, b->name) || is_part_of(a->name, b) || is_part_of(b->name, a);
}
