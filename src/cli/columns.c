// SPDX-License-Identifier: MIT
#include "cli/columns.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/utf8.h"

enum { COLUMNS_MAX = 16, GAP = 2, WRAP_LEAST = 24, WORD_MOST = 256 };

void columns_add(struct columns *c, ...)
{
	va_list args;

	va_start(args, c);
	for (size_t i = 0; i < c->n; i++) {
		const char *cell = va_arg(args, const char *);

		strv_add(&c->cells, cell ? cell : "", cell ? strlen(cell) : 0);
	}
	va_end(args);
}

void print_padded(const char *text, size_t width)
{
	size_t length = utf8_length(text);

	printf("%s%*s", text, length < width ? (int)(width - length) : 0, "");
}

/* Columns of the terminal; 0 when stdout is none. */
static size_t terminal_width(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) ? 0 : size.ws_col;
}

void print_wrapped(const char *text, size_t indent)
{
	size_t width = terminal_width(), at = indent;

	/* Too narrow for a column there: as it comes. */
	if (width < indent + WRAP_LEAST) {
		puts(text);
		return;
	}
	while (*text) {
		char word[WORD_MOST];
		size_t len = MIN(strcspn(text, " "), sizeof(word) - 1);

		memcpy(word, text, len);
		word[len] = '\0';
		if (at > indent && at + 1 + utf8_length(word) > width) {
			printf("\n%*s", (int)indent, "");
			at = indent;
		}
		printf("%s%s", at > indent ? " " : "", word);
		at += (at > indent) + utf8_length(word);
		text += len;
		text += strspn(text, " ");
	}
	putchar('\n');
}

void columns_print(struct columns *c)
{
	size_t widths[COLUMNS_MAX] = {0}, before_last = 0;

	for (size_t i = 0; i < c->cells.count; i++) {
		size_t *width = &widths[i % c->n];

		*width = MAX(*width, utf8_length(c->cells.items[i]));
	}
	for (size_t i = 0; i + 1 < c->n; i++)
		before_last += widths[i] + GAP;
	for (size_t i = 0; i < c->cells.count; i++) {
		size_t column = i % c->n;

		if (column + 1 == c->n)
			print_wrapped(c->cells.items[i], before_last);
		else
			print_padded(c->cells.items[i], widths[column] + GAP);
	}
	strv_free(&c->cells);
}
