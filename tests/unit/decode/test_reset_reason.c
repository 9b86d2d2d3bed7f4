// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <bpf/btf.h>

#include "decode/hostnames.h"
#include "decoding.h"

#define REASON TEXT("{name: reset_reason}")

/* A file of BTF at @path, "…XXXXXX", with one enum @name. */
static void write_btf(char *path, const char *name)
{
	struct btf *btf = btf__new_empty();
	int fd = mkstemp(path);
	const void *data;
	uint32_t size;

	assert_true(fd >= 0);
	assert_non_null(btf);
	btf__add_enum(btf, name, 4);
	btf__add_enum_value(btf, "SK_RST_REASON_NOT_SPECIFIED", 0);
	btf__add_enum_value(btf, "SK_RST_REASON_NO_SOCKET", 1);
	btf__add_enum_value(btf, "SK_RST_OTHERWISE", 2);
	data = btf__raw_data(btf, &size);
	assert_int_equal(write(fd, data, size), size);
	close(fd);
	btf__free(btf);
}

static void check(const char *enum_name, const struct decoding *rows, size_t n_rows)
{
	char path[] = "/tmp/wg-btf-XXXXXX";
	struct decode_env env = {0};

	write_btf(path, enum_name);
	assert_int_equal(hostnames_new(path, &env.host), 0);
	for (size_t i = 0; i < n_rows; i++)
		check_decoding(&env, &rows[i]);
	hostnames_free(env.host);
	unlink(path);
}

static void test_rows(void **state)
{
	static const struct decoding rows[] = {
		{REASON, BYTES("0"), 0, "NOT_SPECIFIED"},
		{REASON, BYTES("1"), 0, "NO_SOCKET"},
		{REASON, BYTES("2"), 0, "SK_RST_OTHERWISE"},
		{REASON, BYTES("3"), 0, "unknown:3"},
		{REASON, BYTES("x"), -EINVAL, NULL},
		{"[" UINT ", {name: reset_reason}]", BYTES("\1\0"), 0, "NO_SOCKET"},
	};

	(void)state;
	check("sk_rst_reason", rows, ARRAY_SIZE(rows));
}

static void test_a_kernel_without_reasons(void **state)
{
	static const struct decoding rows[] = {
		{REASON, BYTES("0"), 0, "NOT_SPECIFIED"},
		{REASON, BYTES("1"), 0, "unknown:1"},
	};

	(void)state;
	check("another", rows, ARRAY_SIZE(rows));
}

static void test_refusals(void **state)
{
	static const struct refusal rows[] = {
		{4, REASON, "cannot read the kernel's BTF from /nonexistent: "},
		{4, "[{name: reset_reason}]", "decoder 'reset_reason' cannot be the first"},
	};
	struct decode_env env = {0};

	(void)state;
	assert_int_equal(hostnames_new("/nonexistent", &env.host), 0);
	CHECK_REFUSALS(&env, rows);
	hostnames_free(env.host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_a_kernel_without_reasons),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
