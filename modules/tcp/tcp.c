// SPDX-License-Identifier: MIT
/*
 * The part of tcp in user space: counters that the kernel keeps for a whole network namespace and
 * that no program can read on every kernel, out of the file that nstat reads. They go into the map
 * tcp_stack before each scrape, of the daemon's own namespace.
 */
#include "tcp.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/file.h"
#include "engine/part.h"
#include "kernel/mapwrite.h"

#define NETSTAT   "/proc/self/net/netstat"
#define NAMESPACE "/proc/self/ns/net"
#define PREFIX    "TcpExt: "

enum { NETSTAT_MAX = 1 << 20 };

struct tcp {
	int map; /* tcp_stack; the object's */
	uint32_t netns;
	struct buf text; /* of NETSTAT */
};

static const struct counter {
	const char *name;
	size_t offset; /* in struct tcp_stack */
} counters[] = {
	{"TCPToZeroWindowAdv", offsetof(struct tcp_stack, zero_windows)},
	{"ListenOverflows", offsetof(struct tcp_stack, listen_overflows)},
};

static void put_counter(struct tcp_stack *stack, const char *name, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
		uint64_t number = strtoull(value, NULL, 10);

		if (STREQ(name, counters[i].name))
			memcpy((char *)stack + counters[i].offset, &number, sizeof(number));
	}
}

/* Two lines that begin alike: names, then their values. */
static void put_counters(struct tcp_stack *stack, char *names, char *values)
{
	char *name, *value, *at_name, *at_value;

	name = strtok_r(names, " \n", &at_name);
	value = strtok_r(values, " \n", &at_value);
	while (name && value) {
		put_counter(stack, name, value);
		name = strtok_r(NULL, " \n", &at_name);
		value = strtok_r(NULL, " \n", &at_value);
	}
}

static bool is_ours(const char *line)
{
	return strncmp(line, PREFIX, strlen(PREFIX)) == 0;
}

/* -ENODATA when @text has no such lines. */
static int read_counters(char *text, struct tcp_stack *stack)
{
	char *at, *names = strtok_r(text, "\n", &at), *values;

	while (names && !is_ours(names))
		names = strtok_r(NULL, "\n", &at);
	values = names ? strtok_r(NULL, "\n", &at) : NULL;
	if (!values || !is_ours(values))
		return -ENODATA;
	put_counters(stack, names + strlen(PREFIX), values + strlen(PREFIX));
	return 0;
}

static int read_stack(struct tcp *t, struct tcp_stack *ret, struct error *e)
{
	struct tcp_stack stack = {.netns = t->netns};
	int err = file_read_into(NETSTAT, NETSTAT_MAX, &t->text, e);

	if (err)
		return err;
	if (read_counters(t->text.data, &stack))
		return error_set(e, -ENODATA, NETSTAT " has no counters of TCP");
	*ret = stack;
	return 0;
}

static int put(int map, const void *value, struct error *e)
{
	const __u32 first = 0;
	int err = mapwrite_put(map, &first, value);

	return err ? error_set(e, err,
			       "cannot write the counters of " NETSTAT " into their map: %s",
			       error_words(err))
		   : 0;
}

static int fill(void *state, struct error *e)
{
	struct tcp *t = state;
	struct tcp_stack stack;
	int err = read_stack(t, &stack, e);

	return err ? err : put(t->map, &stack, e);
}

/* What has overflowed until now is nobody's. */
static int start(const struct part_context *c, void *state, int *ret_fd, struct error *e)
{
	struct tcp *t = state;
	struct tcp_told told = {0};
	struct tcp_stack stack;
	struct map_info map, told_map;
	struct stat namespace;
	int err;

	(void)ret_fd;
	if (object_find_map(c->object, "tcp_stack", &map) ||
	    object_find_map(c->object, "tcp_told", &told_map))
		return error_set(e, -ENOENT, "the object has not the maps of tcp.h");
	if (stat(NAMESPACE, &namespace))
		return error_set(e, -errno, "cannot look at " NAMESPACE ": %s",
				 error_words(-errno));
	*t = (struct tcp){.map = map.fd, .netns = (uint32_t) namespace.st_ino};
	err = read_stack(t, &stack, e);
	if (err)
		return err;
	told.listen_overflows = stack.listen_overflows;
	err = put(told_map.fd, &told, e);
	return err ? err : put(map.fd, &stack, e);
}

static void stop(void *state)
{
	struct tcp *t = state;

	buf_free(&t->text);
}

MODULE_PART(tcp, .state_size = sizeof(struct tcp), .start = start, .fill = fill, .stop = stop);
