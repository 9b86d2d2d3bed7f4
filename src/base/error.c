// SPDX-License-Identifier: MIT
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static enum exit_code exit_of_errno(int code)
{
	switch (-code) {
	case EPERM:
	case EACCES:
		return EXIT_DENIED;
	case EOPNOTSUPP:
	case ENOSYS:
	case EPROTONOSUPPORT:
		return EXIT_HOST_LACKS;
	default:
		return EXIT_FAILED;
	}
}

const char *error_words(int code)
{
	switch (-code) {
	case EMFILE:
		return "too many open files; raise the limit (LimitNOFILE=, ulimit -n)";
	case ENOMEM:
		return "no memory; raise the limit (MemoryMax=) or give the host more";
	default:
		return strerror(-code);
	}
}

PRINTF_LIKE(4, 0)
static int fill(struct error *e, int code, enum exit_code exit, const char *fmt, va_list args)
{
	if (!e)
		return code;
	/* Arguments may point into e->text: a sentence is often wrapped in another one. */
	char text[sizeof(e->text)];

	vsnprintf(text, sizeof(text), fmt, args);
	memcpy(e->text, text, sizeof(text));
	e->hint[0] = '\0';
	e->code = code;
	e->exit = exit;
	return code;
}

int(error_set)(struct error *e, int code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fill(e, code, exit_of_errno(code), fmt, args);
	va_end(args);
	return code;
}

int(error_set_usage)(struct error *e, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fill(e, -EINVAL, EXIT_USAGE, fmt, args);
	va_end(args);
	return -EINVAL;
}

int(error_set_lacks)(struct error *e, int code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fill(e, code, EXIT_HOST_LACKS, fmt, args);
	va_end(args);
	return code;
}

int error_hint(struct error *e, const char *fmt, ...)
{
	va_list args;

	if (!e)
		return -EINVAL;
	va_start(args, fmt);
	vsnprintf(e->hint, sizeof(e->hint), fmt, args);
	va_end(args);
	return e->code;
}

int error_prefix(struct error *e, const char *fmt, ...)
{
	char prefix[256], text[sizeof(e->text)];
	va_list args;

	if (!e)
		return -EINVAL;
	va_start(args, fmt);
	vsnprintf(prefix, sizeof(prefix), fmt, args);
	va_end(args);
	memcpy(text, e->text, sizeof(text));
	snprintf(e->text, sizeof(e->text), "%s: %.*s", prefix,
		 (int)(sizeof(text) - sizeof(prefix) - 3), text);
	return e->code;
}
