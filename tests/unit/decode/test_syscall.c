// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "decoding.h"

#define SYSCALL TEXT("{name: syscall}")

static const struct decode_env nothing;

static const struct decoding rows[] = {
	{SYSCALL, BYTES("100000"), 0, "unknown_syscall:100000"},
	{SYSCALL, BYTES("4294967296"), 0, "unknown_syscall:4294967296"},
	{SYSCALL, BYTES("x"), -EINVAL, NULL},
};

static void test_rows(void **state)
{
	(void)state;
	CHECK_DECODINGS(&nothing, rows);
}

static void expect(long number, const char *name)
{
	char in[16];

	snprintf(in, sizeof(in), "%ld", number);
	check_decoding(&nothing, &(struct decoding){SYSCALL, in, (uint32_t)strlen(in), 0, name});
}

/* As the compiler of this test has them. */
static void test_some(void **state)
{
	(void)state;
	expect(SYS_read, "read");
	expect(SYS_openat, "openat");
	expect(SYS_bpf, "bpf");
	expect(SYS_clone3, "clone3");
}

/* seccomp_syscall_resolve_num_arch(3) of the native architecture, in memory of the caller's. */
typedef char *(*resolve_fn)(uint32_t arch, int number);

/* Gone from the kernel in 5.5, and from its headers. */
static bool was_removed(const char *name)
{
	return STREQ(name, "_sysctl");
}

/* libseccomp has a table of its own. Up to openat2, that of Linux 5.6, both are older. */
static void test_all_as_libseccomp(void **state)
{
	void *library = dlopen("libseccomp.so.2", RTLD_NOW);
	resolve_fn resolve = NULL;
	unsigned known = 0;

	(void)state;
	if (library)
		resolve = (resolve_fn)dlsym(library, "seccomp_syscall_resolve_num_arch");
	if (!resolve) {
		skip(); /* no libseccomp here */
		return;
	}
	for (int number = 0; number <= SYS_openat2; number++) {
		char *name = resolve(0, number), unknown[32];

		snprintf(unknown, sizeof(unknown), "unknown_syscall:%d", number);
		expect(number, name && !was_removed(name) ? name : unknown);
		known += name != NULL;
		free(name);
	}
	assert_true(known > 250);
	dlclose(library);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_some),
		cmocka_unit_test(test_all_as_libseccomp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
