/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

/*
 * The whole of @path in memory that the caller frees, with a NUL byte behind it that does not count
 * in *ret_len. It never waits: -ESPIPE for a pipe. -EFBIG when it is larger than @max bytes;
 * -EISDIR, -ENOENT … as the system says.
 */
int file_read(const char *path, size_t max, void **ret, size_t *ret_len, struct error *e);

/*
 * The same into @b, in the place of what was there, with the NUL byte: what is read again and again
 * takes memory only while it grows. What is in @b after an error is not said.
 */
int file_read_into(const char *path, size_t max, struct buf *b, struct error *e);

/*
 * At most the first @size - 1 bytes of @path into @to, NUL-terminated; how many, or a negative
 * errno. For short files such as those in /proc: it allocates nothing.
 */
ssize_t file_read_short(const char *path, char *to, size_t size);

/*
 * Whether the file or directory @path may be another than at the last call with @mark (0 at first),
 * by the time of its last change. One that changed just now counts as changed the next time too:
 * times of files advance by ticks. One that is not there is always the same.
 */
bool file_changed(const char *path, uint64_t *mark);
