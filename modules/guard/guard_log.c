// SPDX-License-Identifier: MIT
#include "guard_log.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"

static void make_folder(const char *path)
{
	_cleanup_free_ char *copy = strdup(path);

	/* Where it fails, the first line says so. */
	if (copy)
		(void)mkdir(dirname(copy), 0755);
}

int guard_log_open(struct guard_log *l, const char *path, size_t max_size)
{
	l->path = strdup(path);
	l->max_size = max_size;
	if (!l->path)
		return -ENOMEM;
	make_folder(path);
	return 0;
}

void guard_log_close(struct guard_log *l)
{
	free(l->path);
	*l = (struct guard_log){0};
}

static char *former_path(const struct guard_log *l)
{
	char *path;

	return asprintf(&path, "%s.1", l->path) < 0 ? NULL : path;
}

static void rotate(const struct guard_log *l)
{
	_cleanup_free_ char *former = former_path(l);
	struct stat st;

	if (former && stat(l->path, &st) == 0 && (size_t)st.st_size >= l->max_size)
		(void)rename(l->path, former);
}

/* One write(2), so that a line is there whole or not at all. */
static int append(const struct guard_log *l, const struct buf *line)
{
	_cleanup_close_ int fd =
		open(l->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, line->data, line->len);
	if (n < 0)
		return -errno;
	return (size_t)n == line->len ? 0 : -ENOSPC;
}

static void add_member(struct buf *line, const char *name, const char *value)
{
	buf_add_str(line, line->len ? "," : "{");
	json_add_string(line, name);
	buf_add_char(line, ':');
	json_add_string(line, value);
}

/* RFC 3339, in UTC. */
static void add_time(struct buf *line)
{
	time_t now = time(NULL);
	char text[32];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	add_member(line, "time", text);
}

void guard_log_write(struct guard_log *l, const char *action, const char *subject, const char *by,
		     const char *fmt, ...)
{
	_cleanup_buf_ struct buf line = {0};
	char why[512];
	va_list args;
	int err;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	log_info("guard: %s %s, by %s: %s", action, subject, by, why);
	add_time(&line);
	add_member(&line, "action", action);
	add_member(&line, "subject", subject);
	add_member(&line, "by", by);
	add_member(&line, "why", why);
	buf_add_str(&line, "}\n");
	rotate(l);
	err = buf_ok(&line) ? append(l, &line) : -ENOMEM;
	if (err && log_due(&l->complained))
		log_warn("guard: cannot write to '%s': %s", l->path, error_words(err));
}

/* ---- read ---- */

static json_t *parse_line(const char *line, size_t len)
{
	return json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
}

/* Puts the last @count lines of @path before those in @entries. */
static void read_last(const char *path, size_t count, size_t max_size, json_t *entries)
{
	_cleanup_buf_ struct buf text = {0};
	struct error error;
	size_t end;

	/* A line more than the size may be in it. */
	if (file_read_into(path, 2 * max_size + (1 << 16), &text, &error))
		return;
	for (end = text.len; end && json_array_size(entries) < count;) {
		const char *newline = memrchr(text.data, '\n', end - 1);
		size_t start = newline ? (size_t)(newline - text.data) + 1 : 0;
		json_t *entry = parse_line(text.data + start, end - start);

		if (entry)
			json_array_insert_new(entries, 0, entry);
		end = start;
	}
}

json_t *guard_log_read(const struct guard_log *l, size_t count)
{
	_cleanup_free_ char *former = former_path(l);
	json_t *entries = json_array();

	read_last(l->path, count, l->max_size, entries);
	if (former)
		read_last(former, count, l->max_size, entries);
	return entries;
}
