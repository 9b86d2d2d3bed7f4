// SPDX-License-Identifier: MIT
#include "decode/container_names.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"

#define LOG_LINKS "/var/log/containers"
#define POD_LOGS  "/var/log/pods"
#define PODMAN    "/var/lib/containers/storage/overlay-containers/containers.json"
#define DOCKER    "/var/lib/docker/containers/"

#define REMEMBERED_NS (3600 * NSEC_PER_SEC)

enum {
	LARGEST_JSON = 16 << 20,
	LONGEST_LINK = 255, /* kubelet cuts longer names, at the end of the id */
};

static const char *const sources[] = {LOG_LINKS, POD_LOGS, PODMAN};

enum { N_SOURCES = ARRAY_SIZE(sources) };

struct row {
	char *key; /* a container's id, or so much of it as is known; "pod" and a pod's UID */
	char *container;
	char *pod;
	char *pod_namespace;
	uint64_t seen_ns; /* CLOCK_MONOTONIC */
};

struct rows {
	struct row *items;
	size_t count;
	size_t cap;
};

struct container_names {
	pthread_mutex_t lock;
	char *root;
	struct rows rows; /* by key */
	uint64_t changed[N_SOURCES];
	uint64_t generation;
};

int container_names_new(const char *root, struct container_names **ret)
{
	struct container_names *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	pthread_mutex_init(&c->lock, NULL);
	c->root = strdup(root ? root : "");
	if (!c->root) {
		container_names_free(c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

static void row_free(struct row *r)
{
	free(r->key);
	free(r->container);
	free(r->pod);
	free(r->pod_namespace);
}

static void rows_free(struct rows *r)
{
	for (size_t i = 0; i < r->count; i++)
		row_free(&r->items[i]);
	free(r->items);
	*r = (struct rows){0};
}

void container_names_free(struct container_names *c)
{
	if (!c)
		return;
	rows_free(&c->rows);
	pthread_mutex_destroy(&c->lock);
	free(c->root);
	free(c);
}

/* ---- rows ---- */

static void add_row(struct rows *rows, struct row row)
{
	if (rows->count == rows->cap) {
		size_t cap = MAX(rows->cap * 2, (size_t)64);
		void *items = reallocarray(rows->items, cap, sizeof(*rows->items));

		if (!items) {
			row_free(&row); /* without memory a name is not known */
			return;
		}
		rows->items = items;
		rows->cap = cap;
	}
	rows->items[rows->count++] = row;
}

/* A piece of a name, not terminated. */
struct piece {
	const char *text;
	size_t len;
};

static char *copy(struct piece p)
{
	return strndup(p.text, p.len);
}

static void add(struct rows *rows, struct piece key, struct piece container, struct piece pod,
		struct piece pod_namespace)
{
	struct row row = {copy(key), copy(container), copy(pod), copy(pod_namespace),
			  clock_monotonic_ns()};

	if (row.key && row.container && row.pod && row.pod_namespace)
		add_row(rows, row);
	else
		row_free(&row);
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->key, ((const struct row *)b)->key);
}

static void sort(struct rows *rows)
{
	if (rows->count)
		qsort(rows->items, rows->count, sizeof(*rows->items), by_key);
}

/* The row of @key, or the one whose key is the beginning of it; they stand side by side. */
static const struct row *find(const struct rows *rows, const char *key)
{
	size_t low = 0, high = rows->count;
	const char *found;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(rows->items[middle].key, key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	found = rows->items[low - 1].key;
	return strncmp(found, key, strlen(found)) == 0 ? &rows->items[low - 1] : NULL;
}

/* ---- kubelet's files ---- */

/* Takes what stands before the first @separator off @p; false when there is none. */
static bool take_until(struct piece *p, char separator, struct piece *ret)
{
	const char *at = memchr(p->text, separator, p->len);

	if (!at)
		return false;
	*ret = (struct piece){p->text, (size_t)(at - p->text)};
	*p = (struct piece){at + 1, p->len - ret->len - 1};
	return true;
}

static bool is_hex(struct piece p)
{
	for (size_t i = 0; i < p.len; i++) {
		if (!isxdigit((unsigned char)p.text[i]))
			return false;
	}
	return true;
}

/* "NAMESPACE_POD_UID": none of the three can have a '_'. */
static void add_pod(struct rows *rows, struct piece directory)
{
	static const struct piece none = {"", 0};
	char key[sizeof("pod") + POD_UID_DIGITS];
	struct piece pod_namespace, pod;
	int len;

	if (!take_until(&directory, '_', &pod_namespace) || !take_until(&directory, '_', &pod))
		return;
	len = snprintf(key, sizeof(key), "pod%.*s", (int)directory.len, directory.text);
	if (directory.len && len < (int)sizeof(key))
		add(rows, (struct piece){key, (size_t)len}, none, pod, pod_namespace);
}

/* "POD_NAMESPACE_CONTAINER-ID.log": names of containers have '-', ids do not. */
static void add_container(struct rows *rows, const char *name)
{
	struct piece rest = {name, strlen(name)}, pod, pod_namespace, container, id;
	const char *dash;

	if (rest.len < 5 || !STREQ(name + rest.len - 4, ".log"))
		return;
	rest.len -= 4;
	if (!take_until(&rest, '_', &pod) || !take_until(&rest, '_', &pod_namespace))
		return;
	dash = memrchr(rest.text, '-', rest.len);
	if (!dash)
		return;
	container = (struct piece){rest.text, (size_t)(dash - rest.text)};
	id = (struct piece){dash + 1, rest.len - container.len - 1};
	if (is_hex(id) && id.len <= CONTAINER_ID_DIGITS &&
	    id.len >= (strlen(name) == LONGEST_LINK ? CONTAINER_SHOWN_DIGITS : CONTAINER_ID_DIGITS))
		add(rows, id, container, pod, pod_namespace);
}

/* "/var/log/pods/NAMESPACE_POD_UID/CONTAINER/N.log" */
static void add_pod_of_link(struct rows *rows, int directory, const char *name)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(directory, name, target, sizeof(target) - 1);
	const char *at;

	if (len < 0)
		return;
	target[len] = '\0';
	at = strstr(target, "/pods/");
	if (at) {
		at += strlen("/pods/");
		add_pod(rows, (struct piece){at, strcspn(at, "/")});
	}
}

static void read_link(struct rows *rows, int directory, const char *name)
{
	add_container(rows, name);
	add_pod_of_link(rows, directory, name);
}

static void read_pod(struct rows *rows, int directory, const char *name)
{
	(void)directory;
	add_pod(rows, (struct piece){name, strlen(name)});
}

static void read_directory(struct rows *rows, const char *path,
			   void (*read_entry)(struct rows *rows, int directory, const char *name))
{
	DIR *d = opendir(path);
	const struct dirent *entry;

	if (!d)
		return;
	while ((entry = readdir(d))) {
		if (entry->d_name[0] != '.')
			read_entry(rows, dirfd(d), entry->d_name);
	}
	closedir(d);
}

/* ---- files of engines ---- */

static json_t *read_json(const char *path)
{
	_cleanup_free_ void *text = NULL;
	size_t len;

	if (file_read(path, LARGEST_JSON, &text, &len, NULL))
		return NULL;
	return json_loadb(text, len, 0, NULL);
}

/* [{"id": "…", "names": ["…"]}, …] */
static void read_podman(struct rows *rows, const char *path)
{
	static const struct piece none = {"", 0};
	json_t *all = read_json(path), *one;
	size_t i;

	json_array_foreach(all, i, one)
	{
		const char *id = json_string_value(json_object_get(one, "id"));
		const char *name =
			json_string_value(json_array_get(json_object_get(one, "names"), 0));

		if (id && name)
			add(rows, (struct piece){id, strlen(id)},
			    (struct piece){name, strlen(name)}, none, none);
	}
	json_decref(all);
}

/* {"Name": "/…"}: asked for one at a time, since only root may list the directory. */
static bool find_docker(const struct container_names *c, const char *id, struct buf *out)
{
	_cleanup_free_ char *path = NULL;
	const char *name;
	json_t *config;

	if (asprintf(&path, "%s" DOCKER "%s/config.v2.json", c->root, id) < 0)
		return false;
	config = read_json(path);
	name = json_string_value(json_object_get(config, "Name"));
	if (name)
		buf_add_str(out, name + (*name == '/'));
	json_decref(config);
	return name != NULL;
}

/* ---- all of them ---- */

/* Moves those that went a while ago at most, so that their series keep the names that they have. */
static void remember(struct rows *fresh, struct rows *old)
{
	uint64_t now = clock_monotonic_ns();
	struct rows gone = {0};

	for (size_t i = 0; i < old->count; i++) {
		const struct row *again = find(fresh, old->items[i].key);

		if (again || now - old->items[i].seen_ns > REMEMBERED_NS)
			continue;
		add_row(&gone, old->items[i]);
		old->items[i] = (struct row){0};
	}
	for (size_t i = 0; i < gone.count; i++)
		add_row(fresh, gone.items[i]);
	free(gone.items);
}

static void read_again(struct container_names *c)
{
	struct rows fresh = {0};
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s" LOG_LINKS, c->root);
	read_directory(&fresh, path, read_link);
	snprintf(path, sizeof(path), "%s" POD_LOGS, c->root);
	read_directory(&fresh, path, read_pod);
	snprintf(path, sizeof(path), "%s" PODMAN, c->root);
	read_podman(&fresh, path);
	sort(&fresh);
	remember(&fresh, &c->rows);
	sort(&fresh);
	rows_free(&c->rows);
	c->rows = fresh;
	c->generation++;
}

static void refresh(struct container_names *c)
{
	bool changed = false;
	char path[PATH_MAX];

	for (unsigned i = 0; i < N_SOURCES; i++) {
		snprintf(path, sizeof(path), "%s%s", c->root, sources[i]);
		changed |= file_changed(path, &c->changed[i]);
	}
	if (changed)
		read_again(c);
}

static const char *part_of(const struct row *row, enum container_part part)
{
	switch (part) {
	case CONTAINER_PART_NAME:
		return row->container;
	case CONTAINER_PART_POD:
		return row->pod;
	case CONTAINER_PART_POD_NAMESPACE:
		break;
	}
	return row->pod_namespace;
}

static bool add_part(const struct row *row, enum container_part part, struct buf *out)
{
	const char *text = row ? part_of(row, part) : "";

	buf_add_str(out, text);
	return *text != '\0';
}

static bool find_pod(const struct container_names *c, const char *uid, enum container_part part,
		     struct buf *out)
{
	char key[sizeof("pod") + POD_UID_DIGITS];

	snprintf(key, sizeof(key), "pod%s", uid);
	return add_part(find(&c->rows, key), part, out);
}

bool container_names_find(struct container_names *c, const struct container_ref *ref,
			  enum container_part part, struct buf *out)
{
	bool found;

	pthread_mutex_lock(&c->lock);
	refresh(c);
	found = ref->id[0] && add_part(find(&c->rows, ref->id), part, out);
	if (!found && ref->pod[0])
		found = find_pod(c, ref->pod, part, out);
	if (!found && ref->id[0] && !ref->pod[0] && part == CONTAINER_PART_NAME)
		found = find_docker(c, ref->id, out);
	pthread_mutex_unlock(&c->lock);
	return found;
}

uint64_t container_names_generation(struct container_names *c)
{
	uint64_t generation;

	pthread_mutex_lock(&c->lock);
	refresh(c);
	generation = c->generation;
	pthread_mutex_unlock(&c->lock);
	return generation;
}
