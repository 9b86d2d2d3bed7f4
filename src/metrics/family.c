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
