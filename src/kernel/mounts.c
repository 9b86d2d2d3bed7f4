// SPDX-License-Identifier: MIT
#include "kernel/mounts.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

#define MOUNTINFO "/proc/self/mountinfo"

enum { LARGEST = 16 << 20 };

/* A part of a line, not terminated. */
struct field {
	const char *text;
	size_t len;
};

struct mount {
	struct field root;  /* what part of the file system */
	struct field point; /* where, with blanks written as \040 */
	struct field type;
};

static const char *next_field(const char *at, struct field *ret)
{
	at += strspn(at, " ");
	*ret = (struct field){at, strcspn(at, " \n")};
	return at + ret->len;
}

/* "36 35 98:0 /root /point opts [optional …] - type source superopts" */
static bool parse_line(const char *line, struct mount *ret)
{
	struct field skipped;

	for (unsigned i = 0; i < 3; i++)
		line = next_field(line, &skipped);
	line = next_field(line, &ret->root);
	line = next_field(line, &ret->point);
	do
		line = next_field(line, &skipped);
	while (skipped.len && !(skipped.len == 1 && skipped.text[0] == '-'));
	next_field(line, &ret->type);
	return ret->type.len > 0;
}

static bool field_is(const struct field *f, const char *text)
{
	return f->len == strlen(text) && memcmp(f->text, text, f->len) == 0;
}

/*
 * How much of the file system a mount shows. In a namespace of cgroups (cgroup_namespaces(7)), "/"
 * is only what belongs to it, and the host's mount, where a container was given it, is "/../..".
 */
static int reach_of(const struct mount *m)
{
	if (m->root.len >= 3 && memcmp(m->root.text, "/..", 3) == 0)
		return 3;
	if (field_is(&m->root, "/"))
		return 2;
	return m->type.len > 0;
}

/* A copy with \ooo written out. */
static char *unescape(const struct field *f)
{
	char *to = malloc(f->len + 1);
	size_t n = 0;

	for (size_t i = 0; to && i < f->len; i++) {
		unsigned octal;

		if (f->text[i] == '\\' && f->len - i > 3 &&
		    sscanf(f->text + i + 1, "%3o", &octal) == 1) {
			to[n++] = (char)octal;
			i += 3;
		} else {
			to[n++] = f->text[i];
		}
	}
	if (to)
		to[n] = '\0';
	return to;
}

int mounts_find_in(const char *text, const char *type, char **ret)
{
	struct mount found = {0}, mount;

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!parse_line(line, &mount) || !field_is(&mount.type, type))
			continue;
		if (reach_of(&mount) > reach_of(&found))
			found = mount;
	}
	if (!found.type.len)
		return -ENOENT;
	*ret = unescape(&found.point);
	return *ret ? 0 : -ENOMEM;
}

int mounts_find(const char *type, char **ret)
{
	_cleanup_free_ void *text = NULL;
	size_t len;
	int err = file_read(MOUNTINFO, LARGEST, &text, &len, NULL);

	return err ? err : mounts_find_in(text, type, ret);
}
