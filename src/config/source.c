// SPDX-License-Identifier: MIT
#include "config/source.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

/* Far over any config that a person writes; a wrong file must not fill the memory. */
enum { LARGEST_MIB = 4 };

int source_read(const char *path, struct report *r, struct source *ret)
{
	const struct source unread = {.name = (char *)path};
	const struct place whole = {0};
	_cleanup_free_ void *text = NULL;
	size_t len = 0;
	char *name;
	int err = file_read(path, (size_t)LARGEST_MIB << 20, &text, &len, NULL);

	if (err == -EFBIG)
		return report_error(r, &unread, whole,
				    "larger than %d MiB: this cannot be a configuration",
				    LARGEST_MIB);
	if (err == -ESPIPE)
		return report_error(r, &unread, whole,
				    "a pipe or socket, not a file that can be read");
	if (err && err != -ENOMEM)
		return report_error(r, &unread, whole, "cannot read the file: %s", strerror(-err));
	name = err ? NULL : strdup(path);
	if (!name)
		return -ENOMEM;
	*ret = (struct source){.name = name, .text = TAKE_PTR(text), .len = len};
	return 0;
}
