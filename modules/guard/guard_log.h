/* SPDX-License-Identifier: MIT */
/*
 * The evidence: what guard did and was told to do, with the reason, one JSON object a line. A file
 * that is begun anew when it has grown to its size; the one before is kept as FILE.1.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/error.h"
#include "base/macro.h"

struct guard_log {
	char *path;
	size_t max_size;
	uint64_t complained; /* log_due() */
};

/* Makes the folder of @path unless it is there. A log that cannot be written is said at each try,
 * once a minute, in the daemon's own log; where each line goes as well. */
int guard_log_open(struct guard_log *l, const char *path, size_t max_size);
void guard_log_close(struct guard_log *l);

/*
 * @action: a word, "ban"; @subject: about what, "192.0.2.7"; @by: "guard", or who commanded it; the
 * rest says why.
 */
void guard_log_write(struct guard_log *l, const char *action, const char *subject, const char *by,
		     const char *fmt, ...) PRINTF_LIKE(5, 6);

/* The last @count entries, oldest first: a JSON array, the caller's; NULL without memory. */
json_t *guard_log_read(const struct guard_log *l, size_t count);
