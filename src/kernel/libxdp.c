// SPDX-License-Identifier: MIT
#include "kernel/libxdp.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "kernel/libbpf_log.h"

#define LIBRARY "libxdp.so.1"

enum { WARNING_MAX = 256 };

typedef int (*print_fn)(int level, const char *format, va_list args);

static const struct {
	const char *name;
	size_t offset;
	bool is_optional;
} symbols[] = {
	{"libxdp_get_error", offsetof(struct libxdp, get_error)},
	{"xdp_program__open_file", offsetof(struct libxdp, open_file)},
	{"xdp_program__set_run_prio", offsetof(struct libxdp, set_run_prio)},
	{"xdp_program__set_xdp_frags_support", offsetof(struct libxdp, set_frags), true},
	{"xdp_program__attach", offsetof(struct libxdp, attach)},
	{"xdp_program__detach", offsetof(struct libxdp, detach)},
	{"xdp_program__fd", offsetof(struct libxdp, program_fd)},
	{"xdp_program__close", offsetof(struct libxdp, close_program)},
	{"xdp_multiprog__get_from_ifindex", offsetof(struct libxdp, dispatcher_of)},
	{"xdp_multiprog__attach_mode", offsetof(struct libxdp, dispatcher_mode)},
	{"xdp_multiprog__next_prog", offsetof(struct libxdp, next_program)},
	{"xdp_multiprog__close", offsetof(struct libxdp, close_dispatcher)},
};

static _Thread_local char warning[WARNING_MAX]; /* the last one */

static struct {
	pthread_once_t once;
	bool is_there;
	char why_not[WARNING_MAX];
	struct libxdp functions;
} library = {.once = PTHREAD_ONCE_INIT};

PRINTF_LIKE(2, 0)
static int on_message(int level, const char *format, va_list args)
{
	enum { WARN }; /* enum libxdp_print_level */
	static const char prefix[] = "libxdp: ";
	char text[WARNING_MAX];

	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	log_debug("%s", text);
	if (level == WARN)
		snprintf(warning, sizeof(warning), "%s",
			 text + (strncmp(text, prefix, strlen(prefix)) ? 0 : strlen(prefix)));
	return 0;
}

/* POSIX has dlsym() give back functions as pointers to data. */
static bool find(void *handle, const char *name, void *to)
{
	void *found = dlsym(handle, name);

	memcpy(to, &found, sizeof(found));
	return found;
}

static bool find_all(void *handle)
{
	print_fn (*set_print)(print_fn fn);

	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
		void *to = (char *)&library.functions + symbols[i].offset;

		if (!find(handle, symbols[i].name, to) && !symbols[i].is_optional)
			return false;
	}
	if (find(handle, "libxdp_set_print", &set_print))
		set_print(on_message);
	return true;
}

/* It stays for as long as the process. */
static void load(void)
{
	void *handle = NULL;
	const char *why;

	if (IS_STATIC) {
		snprintf(library.why_not, sizeof(library.why_not),
			 "this is the static build, which loads no shared objects");
		return;
	}
	libbpf_log_setup(); /* libxdp's libbpf is ours, and would write to stderr */
	handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	library.is_there = handle && find_all(handle);
	if (library.is_there)
		return;
	why = dlerror();
	snprintf(library.why_not, sizeof(library.why_not), "%s", why ? why : LIBRARY " is too old");
	if (handle)
		dlclose(handle);
}

const struct libxdp *libxdp_load(struct error *e)
{
	pthread_once(&library.once, load);
	if (library.is_there)
		return &library.functions;
	error_set(e, -EOPNOTSUPP, "that takes libxdp (%s)", library.why_not);
	error_hint(e, "install it: Debian's package libxdp1");
	return NULL;
}

void libxdp_forget(void)
{
	warning[0] = '\0';
}

/* Its own numbers, as libbpf's, begin at 4000, and come with a warning. */
void libxdp_error(int code, struct error *e)
{
	bool is_errno = code > -4000;

	error_set(e, is_errno ? code : -EINVAL, "%s%s%s",
		  is_errno ? error_words(code) : "libxdp refuses it", *warning ? ": " : "",
		  warning);
}
