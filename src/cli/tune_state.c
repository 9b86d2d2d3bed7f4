// SPDX-License-Identifier: MIT
#include "cli/tune_state.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/macro.h"

enum { STATE_MAX = 1 << 20 };

uint64_t tune_netns(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) ? 0 : st.st_ino;
}

struct tune_change *tune_state_find(const struct tune_state *s, const char *name)
{
	for (size_t i = 0; i < s->count; i++) {
		if (STREQ(s->items[i].name, name))
			return &s->items[i];
	}
	return NULL;
}

static int set_text(char **to, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

int tune_state_add(struct tune_state *s, const char *name, const char *before, const char *after)
{
	struct tune_change *c = tune_state_find(s, name);
	void *items;

	if (c)
		return set_text(&c->after, after);
	items = realloc(s->items, (s->count + 1) * sizeof(*s->items));
	if (!items)
		return -ENOMEM;
	s->items = items;
	c = &s->items[s->count++];
	*c = (struct tune_change){0};
	return set_text(&c->name, name) || set_text(&c->before, before) ||
			       set_text(&c->after, after)
		       ? -ENOMEM
		       : 0;
}

static void free_change(struct tune_change *c)
{
	free(c->name);
	free(c->before);
	free(c->after);
}

void tune_state_remove(struct tune_state *s, struct tune_change *change)
{
	size_t index = (size_t)(change - s->items);

	free_change(change);
	memmove(change, change + 1, (s->count - index - 1) * sizeof(*change));
	s->count--;
}

void tune_state_free(struct tune_state *s)
{
	for (size_t i = 0; i < s->count; i++)
		free_change(&s->items[i]);
	free(s->items);
	*s = (struct tune_state){0};
}

static int parse(const json_t *root, struct tune_state *ret)
{
	const json_t *list = json_object_get(root, "changes");
	const json_t *netns = json_object_get(root, "netns");
	const json_t *row;
	size_t i;

	if (!json_is_array(list) || !json_is_integer(netns))
		return -EINVAL;
	ret->netns = (uint64_t)json_integer_value(netns);
	json_array_foreach((json_t *)list, i, row)
	{
		const char *name = json_string_value(json_object_get(row, "name"));
		const char *before = json_string_value(json_object_get(row, "before"));
		const char *after = json_string_value(json_object_get(row, "after"));
		int err = name && before && after ? tune_state_add(ret, name, before, after)
						  : -EINVAL;

		if (err)
			return err;
	}
	return 0;
}

int tune_state_load(const char *path, struct tune_state *ret, struct error *e)
{
	_cleanup_free_ void *text = NULL;
	json_auto_t *root = NULL;
	size_t len;
	int err = file_read(path, STATE_MAX, &text, &len, e);

	*ret = (struct tune_state){.netns = tune_netns()};
	if (err == -ENOENT)
		return 0;
	if (err)
		return err;
	root = json_loadb(text, len, 0, NULL);
	err = root ? parse(root, ret) : -EINVAL;
	if (err == -EINVAL)
		return error_set(e, err,
				 "'%s' is not what tune has written; what was there before it "
				 "cannot be told: move the file away once you have seen to it",
				 path);
	return err ? error_set(e, err, "no memory") : 0;
}

static char *render(const struct tune_state *s)
{
	json_auto_t *root = json_pack("{s:i, s:I, s:[]}", "version", 1, "netns",
				      (json_int_t)s->netns, "changes");
	json_t *list = json_object_get(root, "changes");

	for (size_t i = 0; i < s->count; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", s->items[i].name,
						      "before", s->items[i].before, "after",
						      s->items[i].after));
	return root ? json_dumps(root, JSON_INDENT(2)) : NULL;
}

static int write_and_sync(const char *path, const char *text)
{
	_cleanup_close_ int fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	size_t len = strlen(text);

	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len)
		return errno ? -errno : -ENOSPC;
	return fsync(fd) ? -errno : 0;
}

/* The name in the folder has to be there after a crash, too. */
static int sync_folder(const char *folder)
{
	_cleanup_close_ int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) ? -errno : 0;
}

static int replace(const char *path, const char *text)
{
	_cleanup_free_ char *new = NULL, *copy = strdup(path);
	const char *folder = copy ? dirname(copy) : NULL;
	int err;

	if (!folder || asprintf(&new, "%s.new", path) < 0)
		return -ENOMEM;
	if (mkdir(folder, 0755) && errno != EEXIST)
		return -errno;
	err = write_and_sync(new, text);
	if (!err && rename(new, path))
		err = -errno;
	if (err)
		unlink(new);
	return err ? err : sync_folder(folder);
}

int tune_state_save(const char *path, const struct tune_state *s, struct error *e)
{
	_cleanup_free_ char *text = render(s);
	int err = text ? 0 : -ENOMEM;

	if (!err && s->count)
		err = replace(path, text);
	else if (!err && unlink(path) && errno != ENOENT)
		err = -errno;
	if (err)
		return error_set(e, err, "cannot keep what was there before in '%s': %s", path,
				 error_words(err));
	return 0;
}
