// SPDX-License-Identifier: MIT
#include "kernel/libbpf_log.h"

#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

enum {
	TAIL_LINES = 15,
	KEEP_BYTES = 64 << 10, /* of one message: the verifier's may have 16 MiB */
};

static _Thread_local struct libbpf_log *current;

/* Lines that say only that what failed has failed. */
static const char *const noise[] = {
	"-- BEGIN PROG LOAD LOG --", "-- END PROG LOAD LOG --",   "failed to load object",
	": failed to load: ",        ": failed to auto-attach: ",
};

/* The line's text without "libbpf: " and line end; its length into *ret_len. */
static const char *trim(const char *line, const char *end, size_t *ret_len)
{
	static const char prefix[] = "libbpf: ";

	if ((size_t)(end - line) >= strlen(prefix) && memcmp(line, prefix, strlen(prefix)) == 0)
		line += strlen(prefix);
	while (end > line && (end[-1] == '\n' || end[-1] == '\r' || end[-1] == ' '))
		end--;
	*ret_len = (size_t)(end - line);
	return line;
}

static void log_lines(const char *text)
{
	while (*text) {
		const char *end = strchrnul(text, '\n');
		size_t len;
		const char *line = trim(text, end, &len);

		if (len > 0)
			log_debug("libbpf: %.*s", (int)len, line);
		text = *end ? end + 1 : end;
	}
}

PRINTF_LIKE(2, 0)
static int on_message(enum libbpf_print_level level, const char *format, va_list args)
{
	bool keep = current && level == LIBBPF_WARN;
	_cleanup_free_ char *text = NULL;
	int len;

	if (!keep && !log_enabled(LOG_LEVEL_DEBUG))
		return 0;
	len = vasprintf(&text, format, args);
	if (len < 0) {
		text = NULL;
		return 0;
	}
	log_lines(text);
	if (keep)
		buf_add_str(&current->text, text + (len > KEEP_BYTES ? len - KEEP_BYTES : 0));
	return 0;
}

void libbpf_log_setup(void)
{
	libbpf_set_print(on_message);
}

void libbpf_log_begin(struct libbpf_log *log)
{
	*log = (struct libbpf_log){.outer = current};
	current = log;
}

void libbpf_log_end(struct libbpf_log *log)
{
	current = log->outer;
	buf_free(&log->text);
}

bool libbpf_log_has(struct libbpf_log *log, const char *text)
{
	return strstr(buf_str(&log->text), text) != NULL;
}

bool libbpf_log_last_program(struct libbpf_log *log, char *ret, size_t size)
{
	static const char word[] = "prog '";
	const char *name = NULL, *at = buf_str(&log->text), *end;

	while ((at = strstr(at, word)))
		name = at += strlen(word);
	end = name ? strchr(name, '\'') : NULL;
	if (!end || (size_t)(end - name) >= size)
		return false;
	memcpy(ret, name, (size_t)(end - name));
	ret[end - name] = '\0';
	return true;
}

static bool is_noise(const char *line, size_t len)
{
	if (len == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(noise); i++) {
		if (memmem(line, len, noise[i], strlen(noise[i])))
			return true;
	}
	return false;
}

void libbpf_log_tail(struct libbpf_log *log, char *ret, size_t size)
{
	const char *text = buf_str(&log->text), *end = text + strlen(text);
	size_t at = size - 1, len;

	/* From the last line backwards, written from the end of @ret, and then moved to its front.
	 */
	ret[at] = '\0';
	for (unsigned lines = 0; end > text && lines < TAIL_LINES;) {
		const char *begin = memrchr(text, '\n', (size_t)(end - text));
		const char *line = trim(begin ? begin + 1 : text, end, &len);

		end = begin ? begin : text;
		if (is_noise(line, len))
			continue;
		if (len + 1 > at)
			break;
		if (lines++ > 0)
			ret[--at] = '\n';
		at -= len;
		memcpy(ret + at, line, len);
	}
	memmove(ret, ret + at, size - at);
}
