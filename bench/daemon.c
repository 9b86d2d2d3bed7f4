// SPDX-License-Identifier: MIT
#include "daemon.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/file.h"

enum {
	ARGS_MAX = 16,
	READY_TRIES = 5000, /* a millisecond apart */
	RECEIVE_BYTES = 1 << 20,
};

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

double bench_median_us(uint64_t *times, size_t count)
{
	qsort(times, count, sizeof(*times), compare);
	size_t middle = count / 2;

	return (double)times[middle] / 1e3;
}

/* ---- HTTP ---- */

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A port that nobody has just now. */
static uint16_t find_port(void)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = loopback(0);
	socklen_t len = sizeof(at);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) ||
	    getsockname(fd, (struct sockaddr *)&at, &len))
		bench_fail("no port on the loopback interface: %s", strerror(errno));
	return ntohs(at.sin_port);
}

/* The listening socket is there before anything is loaded: the first request waits in its
 * backlog. */
static int connect_to(const struct bench_daemon *d, uint16_t port)
{
	const struct timespec pause = {.tv_nsec = NSEC_PER_MSEC};
	const struct sockaddr_in to = loopback(port);
	const int on = 1;

	for (int i = 0; i < READY_TRIES; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (!connect(fd, (const struct sockaddr *)&to, sizeof(to))) {
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
			return fd;
		}
		fd_close(fd);
		if (waitpid(d->pid, NULL, WNOHANG))
			bench_fail("the daemon ended at once");
		nanosleep(&pause, NULL);
	}
	bench_fail("the daemon does not listen");
}

static void receive(int fd, struct buf *to)
{
	ssize_t n;

	if (!buf_reserve(to, RECEIVE_BYTES))
		bench_fail("no memory");
	n = recv(fd, to->data + to->len, to->cap - to->len, 0);
	if (n <= 0)
		bench_fail("the daemon closed the connection: %s",
			   n ? strerror(errno) : "no reason");
	to->len += (size_t)n;
}

/* The whole answer is to be this long, or 0 while its headers are not complete. */
static size_t answer_length(struct buf *answer, size_t *ret_headers)
{
	static const char length[] = "Content-Length: ";
	const char *text = buf_str(answer), *end = strstr(text, "\r\n\r\n");
	const char *at = end ? strcasestr(text, length) : NULL;

	if (!end)
		return 0;
	if (strncmp(text, "HTTP/1.1 200 ", 13) != 0 || !at || at > end)
		bench_fail("the daemon answers: %.*s", (int)(end - text), text);
	*ret_headers = (size_t)(end - text) + 4;
	return *ret_headers + strtoul(at + sizeof(length) - 1, NULL, 10);
}

uint64_t bench_scrape(int fd, bool gzip, struct buf *page)
{
	const char *request = gzip ? "GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
				     "Accept-Encoding: gzip\r\n\r\n"
				   : "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
	uint64_t from = clock_monotonic_ns(), first_byte = 0;
	size_t headers = 0, length = 0;

	buf_reset(page);
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
		bench_fail("cannot ask the daemon: %s", strerror(errno));
	while (!length || page->len < length) {
		receive(fd, page);
		first_byte = first_byte ? first_byte : clock_monotonic_ns() - from;
		if (!length)
			length = answer_length(page, &headers);
	}
	memmove(page->data, page->data + headers, page->len -= headers);
	return first_byte;
}

uint64_t bench_daemon_scrape(struct bench_daemon *d, struct buf *page)
{
	return bench_scrape(d->fd, d->gzip, page);
}

int bench_daemon_connect(const struct bench_daemon *d)
{
	return connect_to(d, d->port);
}

/* ---- the process ---- */

static void become_daemon(const struct bench_daemon *d, const char *binary, const char *const *args,
			  const char *count_malloc)
{
	const char *argv[ARGS_MAX] = {binary, "run", "--log.level=warn", "--control.socket="};
	char address[64], descriptor[16];
	size_t n = 4;

	snprintf(address, sizeof(address), "--web.listen-address=127.0.0.1:%u", d->port);
	argv[n++] = address;
	while (*args && n < ARGS_MAX - 1)
		argv[n++] = *args++;
	if (count_malloc) {
		snprintf(descriptor, sizeof(descriptor), "%d", d->allocations_fd);
		setenv("COUNT_MALLOC_FD", descriptor, 1);
		setenv("LD_PRELOAD", count_malloc, 1);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execv(binary, (char *const *)argv);
	bench_fail("cannot run %s: %s", binary, strerror(errno));
}

void bench_daemon_start(struct bench_daemon *d, const char *binary, const char *const *args,
			const char *count_malloc, struct buf *page)
{
	uint64_t from = clock_monotonic_ns();

	*d = (struct bench_daemon){.allocations_fd = -1, .port = find_port()};
	if (count_malloc) {
		d->allocations_fd = memfd_create("allocations", 0);
		if (ftruncate(d->allocations_fd, sysconf(_SC_PAGESIZE)))
			bench_fail("no page to count allocations: %s", strerror(errno));
	}
	fflush(stdout); /* a child that fails must not print it again */
	d->pid = fork();
	if (d->pid < 0)
		bench_fail("cannot fork: %s", strerror(errno));
	if (d->pid == 0)
		become_daemon(d, binary, args, count_malloc);
	d->fd = connect_to(d, d->port);
	bench_daemon_scrape(d, page);
	d->ready_ns = clock_monotonic_ns() - from;
	if (clock_getcpuclockid(d->pid, &d->cpu_clock))
		bench_fail("the daemon has no CPU clock");
}

void bench_daemon_stop(struct bench_daemon *d)
{
	kill(d->pid, SIGTERM);
	waitpid(d->pid, NULL, 0);
	d->fd = fd_close(d->fd);
	if (d->allocations_fd >= 0)
		d->allocations_fd = fd_close(d->allocations_fd);
}

uint64_t bench_daemon_cpu_ns(const struct bench_daemon *d)
{
	struct timespec t;

	clock_gettime(d->cpu_clock, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

/* proc_pid_status(5): "VmRSS:     1234 kB". */
static uint64_t status_bytes(const char *status, const char *key)
{
	const char *at = strstr(status, key);

	return at ? strtoul(at + strlen(key), NULL, 10) << 10 : 0;
}

struct bench_memory bench_daemon_memory(const struct bench_daemon *d)
{
	_cleanup_free_ void *status = NULL;
	struct error error;
	char path[64];
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/status", d->pid);
	if (file_read(path, 1 << 16, &status, &len, &error))
		bench_fail("%s", error.text);
	return (struct bench_memory){status_bytes(status, "VmRSS:"),
				     status_bytes(status, "VmHWM:")};
}

uint64_t bench_daemon_allocations(const struct bench_daemon *d)
{
	uint64_t count = 0;

	if (pread(d->allocations_fd, &count, sizeof(count), 0) != sizeof(count))
		bench_fail("cannot read how much was allocated: %s", strerror(errno));
	return count;
}

/* ---- its maps ---- */

/* proc_pid_fdinfo(5): the id of the map that descriptor @fd of the daemon is, or 0. */
static uint32_t map_id(const struct bench_daemon *d, const char *fd)
{
	_cleanup_free_ void *text = NULL;
	const char *at;
	char path[64 + NAME_MAX];
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", d->pid, fd);
	if (file_read(path, 1 << 16, &text, &len, NULL))
		return 0;
	at = strstr(text, "map_id:");
	return at ? (uint32_t)strtoul(at + strlen("map_id:"), NULL, 10) : 0;
}

static bool has_name(int fd, const char *name)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &len) &&
	       strncmp(info.name, name, sizeof(info.name) - 1) == 0;
}

int bench_daemon_map(const struct bench_daemon *d, const char *name)
{
	const struct dirent *entry;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo", d->pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		uint32_t id = map_id(d, entry->d_name);
		int fd = id ? bpf_map_get_fd_by_id(id) : -1;

		if (fd >= 0 && has_name(fd, name)) {
			closedir(dir);
			return fd;
		}
		if (fd >= 0)
			fd_close(fd);
	}
	bench_fail("the daemon has no map '%s'", name);
}
