// SPDX-License-Identifier: MIT
#include "base/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/macro.h"
#include "base/strv.h"

#define FOLDER "/proc/sys/"

enum { VALUE_MAX = 4096 };

const char *sysctl_rule_words(enum sysctl_rule rule)
{
	static const char *const words[] = {[SYSCTL_EXACTLY] = "is",
					    [SYSCTL_AT_LEAST] = "at least",
					    [SYSCTL_AT_MOST] = "at most"};

	return words[rule];
}

static int path_of(const char *name, char path[static PATH_MAX])
{
	int n = snprintf(path, PATH_MAX, FOLDER "%s", name);

	if (n >= PATH_MAX || strstr(name, "..") || strchr(name, '/'))
		return -EINVAL;
	for (char *p = path + strlen(FOLDER); *p; p++) {
		if (*p == '.')
			*p = '/';
	}
	return 0;
}

int sysctl_read(const char *name, struct buf *to)
{
	char path[PATH_MAX], text[VALUE_MAX];
	int err = path_of(name, path);
	ssize_t len = err ? err : file_read_short(path, text, sizeof(text));

	if (len < 0)
		return (int)len;
	buf_reset(to);
	buf_add(to, text, strcspn(text, "\n"));
	return buf_ok(to) ? 0 : -ENOMEM;
}

int sysctl_write(const char *name, const char *value)
{
	char path[PATH_MAX];
	int err = path_of(name, path);
	_cleanup_close_ int fd = err ? -1 : open(path, O_WRONLY | O_CLOEXEC);
	ssize_t written;

	if (err || fd < 0)
		return err ? err : -errno;
	written = write(fd, value, strlen(value));
	if (written < 0)
		return -errno;
	return (size_t)written == strlen(value) ? 0 : -EIO;
}

/* The words of @text, apart by blanks and tabs. */
static int split(const char *text, struct strv *ret)
{
	int err = 0;

	for (text += strspn(text, " \t\n"); !err && *text; text += strspn(text, " \t\n")) {
		size_t len = strcspn(text, " \t\n");

		err = strv_add(ret, text, len);
		text += len;
	}
	return err;
}

bool sysctl_is_same(const char *a, const char *b)
{
	_cleanup_strv_ struct strv left = {0}, right = {0};
	bool same = !split(a, &left) && !split(b, &right) && left.count == right.count;

	for (size_t i = 0; same && i < left.count; i++)
		same = STREQ(left.items[i], right.items[i]);
	return same;
}

static bool is_number(const char *text)
{
	char *end;

	(void)strtoll(text, &end, 10);
	return *text && !*end;
}

/* Which of the two it has to be. */
static const char *choose(const char *current, enum sysctl_rule rule, const char *wanted)
{
	long long now, then;

	if (rule == SYSCTL_EXACTLY || !is_number(current) || !is_number(wanted))
		return wanted;
	now = strtoll(current, NULL, 10);
	then = strtoll(wanted, NULL, 10);
	return (rule == SYSCTL_AT_LEAST ? now >= then : now <= then) ? current : wanted;
}

bool sysctl_correct(const char *current, enum sysctl_rule rule, const char *wanted, struct buf *to)
{
	_cleanup_strv_ struct strv now = {0}, then = {0};

	buf_reset(to);
	if (split(current, &now) || split(wanted, &then) || now.count != then.count) {
		buf_add_str(to, wanted);
		return true;
	}
	for (size_t i = 0; i < now.count; i++)
		buf_printf(to, "%s%s", i ? " " : "", choose(now.items[i], rule, then.items[i]));
	return !sysctl_is_same(current, buf_str(to));
}
