// SPDX-License-Identifier: MIT
#include "base/cleanup.h"

#include <errno.h>

int fd_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	return -1;
}
