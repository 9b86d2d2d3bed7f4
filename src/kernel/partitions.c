// SPDX-License-Identifier: MIT
#include "kernel/partitions.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"

#define PARTITIONS "/proc/partitions"

enum { LARGEST = 16 << 20, REREAD_S = 10 };

struct partitions {
	pthread_mutex_t lock;
	char *text;       /* of the file, as it was read last; NULL: never */
	uint64_t read_ns; /* when that was tried last; 0: never */
};

int partitions_new(struct partitions **ret)
{
	struct partitions *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	pthread_mutex_init(&p->lock, NULL);
	*ret = p;
	return 0;
}

void partitions_free(struct partitions *p)
{
	if (!p)
		return;
	pthread_mutex_destroy(&p->lock);
	free(p->text);
	free(p);
}

/* "   8        1   1048576 sda1" */
static bool parse_line(const char *line, unsigned long *ret_major, unsigned long *ret_minor,
		       const char **ret_name)
{
	char *end;

	*ret_major = strtoul(line, &end, 10);
	if (end == line)
		return false; /* the heading */
	*ret_minor = strtoul(end, &end, 10);
	strtoull(end, &end, 10);
	*ret_name = end + strspn(end, " ");
	return *end == ' ';
}

static bool find(const char *text, unsigned major, unsigned minor, struct buf *out)
{
	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		unsigned long of_major, of_minor;
		const char *name;

		line += *line == '\n';
		if (parse_line(line, &of_major, &of_minor, &name) && of_major == major &&
		    of_minor == minor) {
			buf_add(out, name, strcspn(name, " \n"));
			return true;
		}
	}
	return false;
}

/* What was known stays when reading fails. */
static bool read_again(struct partitions *p)
{
	uint64_t now = clock_monotonic_ns();
	void *text;
	size_t len;

	if (p->read_ns && now - p->read_ns < REREAD_S * NSEC_PER_SEC)
		return false;
	p->read_ns = now;
	if (file_read(PARTITIONS, LARGEST, &text, &len, NULL))
		return false;
	free(p->text);
	p->text = text;
	return true;
}

bool partitions_name(struct partitions *p, unsigned major, unsigned minor, struct buf *out)
{
	bool found;

	pthread_mutex_lock(&p->lock);
	found = find(p->text, major, minor, out) ||
		(read_again(p) && find(p->text, major, minor, out));
	pthread_mutex_unlock(&p->lock);
	return found;
}
