/* SPDX-License-Identifier: MIT */
/*
 * The daemon's log: lines on stderr, as text or JSON, thread-safe. Its settings are the only state
 * outside struct agent, because a library below (libbpf) hands us its messages without a context.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/macro.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log_settings {
	enum log_level level;
	bool json;
	bool no_timestamps;
};

/* For the start of the process, before there are threads. */
void log_setup(struct log_settings settings);

/* "error", "warn", "info", "debug" → level. -EINVAL for anything else, *ret untouched. */
int log_level_parse(const char *name, enum log_level *ret);

bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
void log_writev(enum log_level level, const char *fmt, va_list args) PRINTF_LIKE(2, 0);

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/*
 * For what may go wrong at each scrape: true at the first call and then once a minute at most.
 * @last_ns is the caller's memory, 0 at first.
 */
bool log_due(uint64_t *last_ns);
