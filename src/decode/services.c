// SPDX-License-Identifier: MIT
#include "decode/services.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

#define SERVICES "/etc/services"

enum { LARGEST = 16 << 20, HIGHEST_PORT = 65535 };

struct service {
	uint32_t key; /* port << 8 | protocol */
	const char *name;
};

struct services {
	const char *path;
	pthread_mutex_t lock;
	bool read;
	char *text; /* the file, names in it terminated */
	struct service *rows;
	size_t count;
	size_t cap;
};

int services_new(const char *path, struct services **ret)
{
	struct services *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->path = path ? path : SERVICES;
	pthread_mutex_init(&s->lock, NULL);
	*ret = s;
	return 0;
}

void services_free(struct services *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s->rows);
	free(s->text);
	free(s);
}

static const char *const protocol_names[] = {
	[PROTOCOL_TCP] = "tcp",
	[PROTOCOL_UDP] = "udp",
	[PROTOCOL_SCTP] = "sctp",
	[PROTOCOL_DCCP] = "dccp",
};

static enum port_protocol parse_protocol(const char *name)
{
	for (unsigned i = PROTOCOL_TCP; i < ARRAY_SIZE(protocol_names); i++) {
		if (STREQ(protocol_names[i], name))
			return i;
	}
	return PROTOCOL_ANY;
}

static bool add(struct services *s, uint32_t key, const char *name)
{
	if (s->count == s->cap) {
		size_t cap = MAX(s->cap * 2, (size_t)512);
		void *p = reallocarray(s->rows, cap, sizeof(*s->rows));

		if (!p)
			return false;
		s->rows = p;
		s->cap = cap;
	}
	s->rows[s->count++] = (struct service){key, name};
	return true;
}

/* "name port/protocol aliases # comment" */
static bool parse_line(struct services *s, char *line)
{
	char *rest, *name, *port, *slash, *end;
	enum port_protocol protocol;
	unsigned long number;

	line[strcspn(line, "#")] = '\0';
	name = strtok_r(line, " \t\r", &rest);
	port = strtok_r(NULL, " \t\r", &rest);
	slash = port ? strchr(port, '/') : NULL;
	if (!slash)
		return true;
	protocol = parse_protocol(slash + 1);
	number = strtoul(port, &end, 10);
	if (protocol == PROTOCOL_ANY || end != slash || end == port || number > HIGHEST_PORT)
		return true;
	return add(s, (uint32_t)number << 8 | protocol, name);
}

/* Of several names of one port, the first of the file is taken: addresses ascend with the file. */
static int compare(const void *a, const void *b)
{
	const struct service *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

/* Once: what cannot be read has no names. */
static void read_file(struct services *s)
{
	bool more = true;
	void *text;
	size_t len;

	s->read = true;
	if (file_read(s->path, LARGEST, &text, &len, NULL))
		return;
	s->text = text;
	for (char *line = text, *next; more && line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		more = parse_line(s, line);
	}
	if (s->count)
		qsort(s->rows, s->count, sizeof(*s->rows), compare);
}

static const char *find(const struct services *s, uint32_t key)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->rows[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->count && s->rows[low].key == key ? s->rows[low].name : NULL;
}

const char *services_name(struct services *s, uint16_t port, enum port_protocol protocol)
{
	unsigned first = protocol == PROTOCOL_ANY ? PROTOCOL_TCP : protocol;
	unsigned last = protocol == PROTOCOL_ANY ? PROTOCOL_DCCP : protocol;
	const char *name = NULL;

	pthread_mutex_lock(&s->lock);
	if (!s->read)
		read_file(s);
	for (unsigned i = first; !name && i <= last; i++)
		name = find(s, (uint32_t)port << 8 | i);
	pthread_mutex_unlock(&s->lock);
	return name;
}
