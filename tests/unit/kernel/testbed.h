/* SPDX-License-Identifier: MIT */
/* What the tests of this room share: a network namespace, commands, objects, packets. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/macro.h"
#include "kernel/object.h"

/* A namespace that goes away with the process. Root only. */
static inline int testbed_enter(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		print_message("not run: needs root\n");
		return -1;
	}
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	object_log_setup();
	return system("ip link set lo up");
}

PRINTF_LIKE(1, 2) static inline int try(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return system(command);
}

#define run(...) assert_int_equal(try(__VA_ARGS__), 0)

/* What a command prints, into a static buffer. */
PRINTF_LIKE(1, 2) static inline const char *output_of(const char *format, ...)
{
	static char text[65536];
	char command[1024];
	va_list args;
	FILE *pipe;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	text[fread(text, 1, sizeof(text) - 1, pipe)] = '\0';
	pclose(pipe);
	return text;
}

static inline void *read_file(const char *path, size_t *ret_size)
{
	FILE *file = fopen(path, "re");
	char *data;

	if (!file) {
		print_error("%s: %s\n", path, strerror(errno));
		abort();
	}
	fseek(file, 0, SEEK_END);
	*ret_size = (size_t)ftell(file);
	rewind(file);
	data = malloc(*ret_size);
	if (!data || fread(data, 1, *ret_size, file) != *ret_size)
		abort();
	fclose(file);
	return data;
}

/* The bytes of tests/unit/kernel/@name.bpf.c, compiled. */
static inline void *object_bytes(const char *name, size_t *ret_size)
{
	const char *root = getenv("BUILD_ROOT");
	char path[512];

	snprintf(path, sizeof(path), "%s/tests/%s.bpf.o", root ? root : "build", name);
	return read_file(path, ret_size);
}

static inline struct object *open_object(const char *name)
{
	struct object *o = NULL;
	struct error e = {};
	size_t size;
	_cleanup_free_ void *data = object_bytes(name, &size);

	if (object_open(name, data, size, NULL, &o, &e) < 0)
		fail_msg("%s", e.text);
	return o;
}

static inline size_t program_index(const struct object *o, const char *name)
{
	struct program_info info;

	for (size_t i = 0; i < object_program_count(o); i++) {
		object_program(o, i, &info);
		if (strcmp(info.name, name) == 0)
			return i;
	}
	fail_msg("no program %s", name);
	return 0;
}

static inline int program_fd(const struct object *o, const char *name)
{
	struct program_info info;

	object_program(o, program_index(o, name), &info);
	return info.fd;
}

/* One datagram over lo: one packet out and one in. */
static inline void send_packet(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	_cleanup_close_ int in = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	_cleanup_close_ int out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(to);
	char byte = 'x';

	assert_int_equal(bind(in, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(getsockname(in, (struct sockaddr *)&to, &size), 0);
	assert_int_equal(sendto(out, &byte, 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	assert_int_equal(recv(in, &byte, 1, 0), 1);
}
