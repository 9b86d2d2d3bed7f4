// SPDX-License-Identifier: MIT
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"

static struct log_settings settings = {.level = LOG_LEVEL_INFO};

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

void log_setup(struct log_settings to)
{
	settings = to;
}

int log_level_parse(const char *name, enum log_level *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
		if (STREQ(level_names[i], name)) {
			*ret = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

bool log_enabled(enum log_level level)
{
	return level <= settings.level;
}

/* RFC 3339 in UTC with milliseconds. */
static void add_time(struct buf *line)
{
	struct timespec now;
	struct tm tm;
	char text[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_printf(line, "%s.%03ldZ", text, now.tv_nsec / 1000000);
}

static void format_json(struct buf *line, enum log_level level, const char *message)
{
	buf_add_char(line, '{');
	if (!settings.no_timestamps) {
		buf_add_str(line, "\"time\":\"");
		add_time(line);
		buf_add_str(line, "\",");
	}
	buf_printf(line, "\"level\":\"%s\",\"message\":", level_names[level]);
	json_add_string(line, message);
	buf_add_str(line, "}\n");
}

static void format_text(struct buf *line, enum log_level level, const char *message)
{
	if (!settings.no_timestamps) {
		add_time(line);
		buf_add_char(line, ' ');
	}
	buf_printf(line, "%-5s %s\n", level_names[level], message);
}

void log_writev(enum log_level level, const char *fmt, va_list args)
{
	_cleanup_buf_ struct buf line = {0};
	_cleanup_free_ char *message = NULL;
	int n;

	if (!log_enabled(level))
		return;
	n = vasprintf(&message, fmt, args);
	if (n < 0) {
		message = NULL;
		return;
	}
	/* libbpf ends its lines itself. */
	if (n > 0 && message[n - 1] == '\n')
		message[n - 1] = '\0';
	if (settings.json)
		format_json(&line, level, message);
	else
		format_text(&line, level, message);
	/* One write(2) a line keeps lines of several threads apart. There is nowhere to report a
	 * log that cannot be written. */
	if (buf_ok(&line) && write(STDERR_FILENO, line.data, line.len) < 0)
		return;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_writev(level, fmt, args);
	va_end(args);
}

bool log_due(uint64_t *last_ns)
{
	uint64_t now = clock_monotonic_ns();

	if (*last_ns && now - *last_ns < 60 * NSEC_PER_SEC)
		return false;
	*last_ns = now;
	return true;
}
