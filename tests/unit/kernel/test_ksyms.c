// SPDX-License-Identifier: MIT
#include "kernel/ksyms.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "kernel/testbed.h"

/* A function that every kernel with a network has, and that is one of a kind. */
#define FUNCTION "ip_local_deliver"

static struct ksyms *new_ksyms(void)
{
	struct ksyms *k = NULL;

	assert_int_equal(ksyms_new(&k), 0);
	return k;
}

static uint64_t address_of(struct ksyms *k, const char *symbol)
{
	struct error e = {};
	uint64_t address = 0;

	if (ksyms_address(k, symbol, &address, &e) < 0)
		fail_msg("%s", e.text);
	return address;
}

static void test_there_and_back(void **state)
{
	struct ksyms *k = new_ksyms();
	uint64_t address = address_of(k, FUNCTION);

	(void)state;
	assert_string_equal(ksyms_name(k, address), FUNCTION);
	assert_ptr_equal(ksyms_name(k, address), ksyms_name(k, address));
	/* Only an exact address has a name. */
	assert_null(ksyms_name(k, address + 1));
	assert_null(ksyms_name(k, 0));
	assert_null(ksyms_name(k, UINT64_MAX));
	ksyms_free(k);
}

static void test_nearest(void **state)
{
	struct ksyms *k = new_ksyms();
	uint64_t address = address_of(k, FUNCTION);

	(void)state;
	assert_string_equal(ksyms_nearest(k, address), FUNCTION);
	assert_string_equal(ksyms_nearest(k, address + 1), FUNCTION);
	assert_string_not_equal(ksyms_nearest(k, address - 1), FUNCTION);
	/* of a program, far behind the absolute symbols at the beginning */
	assert_null(ksyms_nearest(k, 0x7fff00001000));
	assert_null(ksyms_nearest(k, UINT64_MAX));
	ksyms_free(k);
}

/* Each of the kernel itself; those of modules and BPF programs may come and go meanwhile. */
static void test_all_symbols(void **state)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	struct ksyms *k = new_ksyms();
	unsigned long long address, last = 0;
	char line[1024], name[512];
	size_t checked = 0;

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		const char *got;

		assert_int_equal(sscanf(line, "%llx %*c %511s", &address, name), 2);
		if (address == last || address == 0 || strchr(line, '['))
			continue;
		last = address;
		got = ksyms_name(k, address);
		assert_non_null(got);
		checked += STREQ(got, name);
	}
	fclose(file);
	assert_true(checked > 1000);
	ksyms_free(k);
}

static void test_no_such_symbol(void **state)
{
	struct ksyms *k = new_ksyms();
	struct error e = {};
	uint64_t address = 7;

	(void)state;
	assert_int_equal(ksyms_address(k, "no_such_symbol", &address, &e), -ENOENT);
	assert_int_equal(address, 7);
	assert_non_null(strstr(e.text, "no_such_symbol"));
	ksyms_free(k);
}

/* The file takes milliseconds; ten thousand unknown addresses must not read it each time. */
static void test_unknown_addresses_are_cheap(void **state)
{
	struct ksyms *k = new_ksyms();
	uint64_t began, first;

	(void)state;
	began = clock_monotonic_ns();
	assert_null(ksyms_name(k, UINT64_MAX));
	first = clock_monotonic_ns() - began;
	began = clock_monotonic_ns();
	for (uint64_t i = 1; i < 10000; i++)
		assert_null(ksyms_name(k, UINT64_MAX - i));
	assert_true(clock_monotonic_ns() - began < first * 100);
	ksyms_free(k);
}

/* For one without rights, addresses are 0 (kernel.kptr_restrict, kernel.perf_event_paranoid). */
static void test_hidden_addresses(void **state)
{
	int status, code;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		struct ksyms *k = new_ksyms();
		uint64_t address;

		if (setuid(65534) < 0)
			_exit(1);
		code = ksyms_address(k, FUNCTION, &address, NULL);
		if (code == 0)
			_exit(77); /* this kernel shows them to everyone */
		_exit(code == -EPERM && !ksyms_name(k, 0) ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void *ask(void *ctx)
{
	struct ksyms *k = ctx;
	uint64_t address = address_of(k, FUNCTION);

	for (unsigned i = 0; i < 1000; i++) {
		if (!STREQ(ksyms_name(k, address), FUNCTION))
			abort();
		(void)ksyms_name(k, i);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct ksyms *k = new_ksyms();
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask, k), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	ksyms_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_all_symbols),
		cmocka_unit_test(test_no_such_symbol),
		cmocka_unit_test(test_unknown_addresses_are_cheap),
		cmocka_unit_test(test_hidden_addresses),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, testbed_enter, NULL);
}
