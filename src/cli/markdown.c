// SPDX-License-Identifier: MIT
#include "cli/markdown.h"

#include <stdio.h>
#include <string.h>

void markdown_cell(const char *text)
{
	for (; *text; text++) {
		if (strchr("|<*_", *text))
			putchar('\\');
		putchar(*text);
	}
}
