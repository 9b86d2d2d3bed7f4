/* SPDX-License-Identifier: MIT */
#include "engine/builtin.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Set by the linker around the section; weak, as a program without rows has no such section. */
extern const struct builtin_module *const __start_builtin_modules[] __attribute__((weak));
extern const struct builtin_module *const __stop_builtin_modules[] __attribute__((weak));

static size_t builtin_count(void)
{
	uintptr_t size = (uintptr_t)__stop_builtin_modules - (uintptr_t)__start_builtin_modules;

	return size / sizeof(*__start_builtin_modules);
}

/* How many rows stand before @m in the order of names. */
static size_t builtin_rank(const struct builtin_module *m)
{
	size_t rank = 0;

	for (size_t i = 0; i < builtin_count(); i++)
		rank += strcmp(__start_builtin_modules[i]->name, m->name) < 0;
	return rank;
}

/* The linker's order is that of the object files; a dozen rows need no sorted copy. */
const struct builtin_module *builtin_at(size_t index)
{
	for (size_t i = 0; i < builtin_count(); i++) {
		if (builtin_rank(__start_builtin_modules[i]) == index)
			return __start_builtin_modules[i];
	}
	return NULL;
}

const struct builtin_module *builtin_find(const char *name)
{
	for (size_t i = 0; i < builtin_count(); i++) {
		if (strcmp(__start_builtin_modules[i]->name, name) == 0)
			return __start_builtin_modules[i];
	}
	return NULL;
}

void builtin_page_out(void)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < builtin_count(); i++) {
		const struct builtin_module *b = __start_builtin_modules[i];
		uintptr_t from = ((uintptr_t)b->object + page - 1) / page * page;
		uintptr_t to = ((uintptr_t)b->object + b->object_len) / page * page;

		if (from < to)
			madvise((void *)from, to - from, MADV_DONTNEED);
	}
}
