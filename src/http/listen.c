// SPDX-License-Identifier: MIT
#include "http/listen.h"

#include <errno.h>
#include <libgen.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/macro.h"

#define BACKLOG 1024

/* SD_LISTEN_FDS_START of sd_listen_fds(3): the first descriptor that a service manager passes. */
#define FIRST_PASSED 3

#define PORT_MAX 65535

const char *listen_passed(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");

	if (!pid || !count || strtol(pid, NULL, 10) != getpid() || strtol(count, NULL, 10) < 1)
		return NULL;
	return "fd://3";
}

static bool is_inherited(const char *address)
{
	return strncmp(address, "fd://", strlen("fd://")) == 0;
}

/* "fd://3" → 3, and so "fd://0", the first of what was passed. */
static int inherited_number(const char *address, int *ret, struct error *e)
{
	char *end;
	long fd = strtol(address + strlen("fd://"), &end, 10);

	if (*end || end == address + strlen("fd://") || fd < 0 || fd > INT32_MAX)
		return error_set_usage(e, "'%s' names no descriptor; an example is fd://3",
				       address);
	/* ebpf_exporter counts what was passed from 0, and these three are never listened at. */
	*ret = (int)(fd < FIRST_PASSED ? fd + FIRST_PASSED : fd);
	return 0;
}

static int listen_inherited(const char *address, int *ret_fd, struct error *e)
{
	int listening = 0, fd = -1, err = inherited_number(address, &fd, e);
	socklen_t len = sizeof(listening);

	if (err)
		return err;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) || !listening)
		return error_set(e, -ENOTSOCK,
				 "descriptor %d is no listening socket; fd://N is for a "
				 "socket that the service manager passed",
				 fd);
	*ret_fd = fd;
	return 0;
}

/* getaddrinfo(3) takes the lower 16 bits of a larger one. */
static bool is_port_number_too_large(const char *port)
{
	char *end;

	return strtoul(port, &end, 10) > PORT_MAX && !*end;
}

/* "host:port", "[v6]:port" or ":port" into its parts; *host is empty for all addresses. */
static int split_address(const char *address, char *host, size_t host_size, const char **port)
{
	const char *colon = strrchr(address, ':');
	size_t len;

	if (!colon || !colon[1] || is_port_number_too_large(colon + 1))
		return -EINVAL;
	*port = colon + 1;
	len = (size_t)(colon - address);
	if (len >= 2 && address[0] == '[' && colon[-1] == ']') {
		address++;
		len -= 2;
	} else if (memchr(address, ':', len)) {
		return -EINVAL; /* an IPv6 address needs its brackets */
	}
	if (len >= host_size)
		return -EINVAL;
	memcpy(host, address, len);
	host[len] = '\0';
	return 0;
}

static int listen_at(const struct addrinfo *to, int *ret_fd)
{
	_cleanup_close_ int fd =
		socket(to->ai_family, to->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1, off = 0;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (to->ai_family == AF_INET6) /* "all addresses" means IPv4 as well */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, to->ai_addr, to->ai_addrlen) || listen(fd, BACKLOG))
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* A child of a daemon that was killed has what that had, until it gets to run: see trial_run(). */
#define IN_USE_TRIES    50
#define IN_USE_PAUSE_MS 20

static int listen_patiently(const struct addrinfo *to, int *ret_fd)
{
	const struct timespec pause = {.tv_nsec = IN_USE_PAUSE_MS * NSEC_PER_MSEC};
	int err = listen_at(to, ret_fd);

	for (int i = 1; err == -EADDRINUSE && i < IN_USE_TRIES; i++) {
		nanosleep(&pause, NULL);
		err = listen_at(to, ret_fd);
	}
	return err;
}

/* At the first of the addresses of a name that there is. */
static int listen_at_any(const struct addrinfo *list, int *ret_fd)
{
	int err = -EADDRNOTAVAIL;

	for (const struct addrinfo *to = list; to && err; to = to->ai_next)
		err = listen_patiently(to, ret_fd);
	return err;
}

static int report_bind(const char *address, const char *port, int err, struct error *e)
{
	if (err == -EADDRINUSE)
		return error_set(
			e, err,
			"cannot listen at '%s': the port is in use; see who has it: "
			"ss -ltnp 'sport = :%s', or give another with --web.listen-address",
			address, port);
	return error_set(e, err, "cannot listen at '%s': %s", address, strerror(-err));
}

/* The addresses that "host:port" stands for, to be freed by freeaddrinfo(3). */
static int resolve(const char *address, struct addrinfo hints, const char **ret_port,
		   struct addrinfo **ret, struct error *e)
{
	char host[256];
	int err;

	if (split_address(address, host, sizeof(host), ret_port))
		return error_set_usage(e,
				       "'%s' is no address to listen at; examples: :9435, "
				       "127.0.0.1:9435, [::1]:9435, fd://3",
				       address);
	if (host[0])
		hints.ai_family = AF_UNSPEC;
	err = getaddrinfo(host[0] ? host : NULL, *ret_port, &hints, ret);
	if (err == EAI_SERVICE)
		return error_set_usage(e, "cannot listen at '%s': there is no such port", address);
	return err ? error_set_usage(e, "cannot listen at '%s': %s", address, gai_strerror(err))
		   : 0;
}

int listen_tcp(const char *address, int *ret_fd, struct error *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_PASSIVE,
				 .ai_family = AF_INET6};
	struct addrinfo *list;
	const char *port;
	int err;

	if (is_inherited(address))
		return listen_inherited(address, ret_fd, e);
	/* All addresses: IPv6 first, which takes IPv4 as well; a host without IPv6 gets IPv4. */
	for (;;) {
		err = resolve(address, hints, &port, &list, e);
		if (err)
			return err;
		err = listen_at_any(list, ret_fd);
		freeaddrinfo(list);
		if (err != -EAFNOSUPPORT || address[0] != ':' || hints.ai_family != AF_INET6)
			break;
		hints.ai_family = AF_INET;
	}
	return err ? report_bind(address, port, err, e) : 0;
}

int listen_check(const char *address, struct error *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *list;
	const char *port;
	int fd, err;

	if (is_inherited(address))
		return inherited_number(address, &fd, e);
	err = resolve(address, hints, &port, &list, e);
	if (!err)
		freeaddrinfo(list);
	return err;
}

/* Whether somebody answers at the socket file @to. */
static bool is_alive(const struct sockaddr_un *to)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0;
}

/* Also those above it: in a container's root there may be no /run. */
static int make_directories(char *dir)
{
	for (char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(dir, 0755);
		*slash = '/';
	}
	return mkdir(dir, 0755) && errno != EEXIST ? -errno : 0;
}

static int make_directory_of(const char *path, struct error *e)
{
	_cleanup_free_ char *copy = strdup(path);
	char *dir;
	int err;

	if (!copy)
		return error_set(e, -ENOMEM, "no memory");
	dir = dirname(copy);
	err = make_directories(dir);
	if (err)
		return error_set(e, err,
				 "cannot make the directory '%s' for the control socket: %s; "
				 "run as root, or give another path with --control.socket",
				 dir, strerror(-err));
	return 0;
}

/* Makes room for a socket at @path, where nobody listens. What else a person has there stays. */
static int remove_dead_socket(const char *path, struct error *e)
{
	struct stat file;

	if (lstat(path, &file))
		return 0;
	if (!S_ISSOCK(file.st_mode))
		return error_set(e, -EEXIST,
				 "cannot make the control socket: '%s' is there and is no socket; "
				 "give another path with --control.socket",
				 path);
	unlink(path);
	return 0;
}

int listen_unix(const char *path, gid_t group, int *ret_fd, struct error *e)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = -1;
	int err;

	if (strlen(path) >= sizeof(at.sun_path))
		return error_set_usage(e, "the path of the control socket is too long: '%s'", path);
	memcpy(at.sun_path, path, strlen(path));
	err = make_directory_of(path, e);
	if (err)
		return err;
	if (is_alive(&at))
		return error_set(e, -EADDRINUSE,
				 "another daemon answers at '%s'; stop it, or give this "
				 "one another path with --control.socket",
				 path);
	err = remove_dead_socket(path, e);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(e, -errno, "cannot make the control socket: %s", strerror(errno));
	/* The mode is set before anybody can connect: the file is made with it. */
	mode_t before = umask(0117);

	err = bind(fd, (struct sockaddr *)&at, sizeof(at)) ? -errno : 0;
	umask(before);
	/* Before it listens: nobody connects while it is of another group. */
	if (!err && group != (gid_t)-1 && group != getegid() && chown(path, (uid_t)-1, group))
		log_warn("the control socket '%s' stays closed to group %u: %s", path,
			 (unsigned)group, strerror(errno));
	if (err || listen(fd, BACKLOG))
		return error_set(e, err ? err : -errno,
				 "cannot listen at the control socket '%s': %s", path,
				 strerror(err ? -err : errno));
	*ret_fd = TAKE_FD(fd);
	return 0;
}
