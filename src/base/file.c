// SPDX-License-Identifier: MIT
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"

enum {
	CHUNK = 64 << 10,
	TICK_NS = 20 * NSEC_PER_MSEC, /* CONFIG_HZ is 100 or more */
};

/* A pipe would make whoever reads it wait for someone to write; a device such as /dev/null ends. */
static bool may_be_read(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && !S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode);
}

static int read_all(int fd, const char *path, size_t max, struct buf *b, struct error *e)
{
	/* Read to the end instead of asking for the size: files in /proc have none. */
	for (;;) {
		ssize_t n;

		if (!buf_reserve(b, CHUNK))
			return error_set(e, -ENOMEM, "no memory to read '%s'", path);
		n = read(fd, b->data + b->len, CHUNK - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(e, -errno, "cannot read '%s': %s", path, strerror(errno));
		if (n == 0)
			break;
		b->len += (size_t)n;
		if (b->len > max)
			return error_set(e, -EFBIG, "'%s' is larger than %zu bytes", path, max);
	}
	buf_str(b);
	return 0;
}

int file_read_into(const char *path, size_t max, struct buf *b, struct error *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	buf_reset(b);
	if (fd < 0)
		return error_set(e, -errno, "cannot open '%s': %s", path, strerror(errno));
	if (!may_be_read(fd))
		return error_set(e, -ESPIPE, "cannot read '%s': a pipe or socket, not a file",
				 path);
	return read_all(fd, path, max, b, e);
}

int file_read(const char *path, size_t max, void **ret, size_t *ret_len, struct error *e)
{
	_cleanup_buf_ struct buf b = {0};
	int err = file_read_into(path, max, &b, e);

	if (err)
		return err;
	*ret_len = b.len;
	*ret = TAKE_PTR(b.data);
	return 0;
}

ssize_t file_read_short(const char *path, char *to, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		n = read(fd, to, size - 1);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	to[n] = '\0';
	return n;
}

static uint64_t in_ns(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * NSEC_PER_SEC + (uint64_t)t->tv_nsec;
}

bool file_changed(const char *path, uint64_t *mark)
{
	uint64_t before = *mark;
	struct timespec now;
	struct stat st;

	clock_gettime(CLOCK_REALTIME, &now);
	*mark = stat(path, &st) ? 0 : in_ns(&st.st_mtim);
	return *mark != before || *mark + TICK_NS > in_ns(&now);
}
