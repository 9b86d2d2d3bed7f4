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
#include "kernel/enum_names.h"

static char path[] = "/tmp/wg-btf-XXXXXX";

/* A file of BTF with enums of all kinds, as libbpf writes it. */
static void write_btf(void)
{
	struct btf *btf = btf__new_empty();
	const void *data;
	uint32_t size;
	FILE *file;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_non_null(btf);
	/* "state" is declared, anonymous and elsewhere as well; this is the one with values */
	btf__add_enum(btf, "state", 4);
	btf__add_enum(btf, NULL, 4);
	btf__add_enum_value(btf, "ANONYMOUS", 1);
	btf__add_struct(btf, "state", 4);
	btf__add_enum(btf, "state", 4);
	btf__add_enum_value(btf, "STATE_ONE", 1);
	btf__add_enum_value(btf, "STATE_ZERO", 0);
	btf__add_enum_value(btf, "STATE_ALSO_ONE", 1);
	btf__add_enum_value(btf, "STATE_MINUS", -1);
	btf__add_enum(btf, "tiny", 1);
	btf__add_enum_value(btf, "TINY_LAST", 255);
	btf__add_enum64(btf, "huge", 8, false);
	btf__add_enum64_value(btf, "HUGE_LAST", UINT64_MAX);
	btf__add_enum64_value(btf, "HUGE_FIRST", 1ULL << 32);
	data = btf__raw_data(btf, &size);
	file = fdopen(fd, "w");
	assert_int_equal(fwrite(data, 1, size, file), size);
	fclose(file);
	btf__free(btf);
}

static int set_up(void **state)
{
	static struct decode_env env;

	write_btf();
	*state = &env;
	return hostnames_new(path, &env.host);
}

static int tear_down(void **state)
{
	hostnames_free(((struct decode_env *)*state)->host);
	unlink(path);
	return 0;
}

#define ENUM(name) TEXT("{name: btf_enum, btf_enum: " name "}")

static const struct decoding rows[] = {
	{ENUM("state"), BYTES("0"), 0, "STATE_ZERO"},
	{ENUM("state"), BYTES("1"), 0, "STATE_ONE"}, /* the first of its names */
	{ENUM("state"), BYTES("2"), 0, "unknown:2"},
	/* -1, as 4 and as 8 bytes are read */
	{ENUM("state"), BYTES("4294967295"), 0, "STATE_MINUS"},
	{ENUM("state"), BYTES("18446744073709551615"), 0, "STATE_MINUS"},
	{ENUM("state"), BYTES("4294967296"), 0, "unknown:4294967296"},
	{ENUM("state"), BYTES("4294967297"), 0, "unknown:4294967297"},
	{ENUM("tiny"), BYTES("255"), 0, "TINY_LAST"},
	{ENUM("tiny"), BYTES("511"), 0, "unknown:511"},
	{ENUM("huge"), BYTES("18446744073709551615"), 0, "HUGE_LAST"},
	{ENUM("huge"), BYTES("4294967296"), 0, "HUGE_FIRST"},
	{ENUM("huge"), BYTES("0"), 0, "unknown:0"},
	{ENUM("state"), BYTES("x"), -EINVAL, NULL},
	{"[" UINT ", {name: btf_enum, btf_enum: state}]", BYTES("\1\0\0\0"), 0, "STATE_ONE"},
};

static void test_rows(void **state)
{
	CHECK_DECODINGS(*state, rows);
}

static const struct refusal refusals[] = {
	{4, ENUM("stat"), "this kernel has no enum 'stat', did you mean 'state'?"},
	{4, ENUM("frobnicate"), "this kernel has no enum 'frobnicate'; see: bpftool btf dump"},
	{4, ENUM("ANONYMOUS"), "this kernel has no enum 'ANONYMOUS'"},
	{4, TEXT("{name: btf_enum}"), "decoder 'btf_enum' needs 'btf_enum'"},
	{4, "[{name: btf_enum, btf_enum: state}]", "decoder 'btf_enum' cannot be the first"},
	{4, "[{name: uint, btf_enum: state}]", "decoder 'uint' takes no 'btf_enum'"},
};

static void test_refusals(void **state)
{
	CHECK_REFUSALS(*state, refusals);
}

/* Where there is no kernel to ask, nothing is said of it. */
static void test_a_mere_check(void **state)
{
	struct config *c = decoding_config(4, ENUM("frobnicate"));
	const struct label_config *label = &c->metrics.items[0].labels.items[0];
	_cleanup_report_ struct report report = {0};
	static const struct decode_env nothing;
	struct label_decoder d;

	(void)state;
	assert_int_equal(label_decoder_build(&d, label, &nothing, &c->source, &report), 0);
	assert_int_equal(report.errors, 0);
	label_decoder_free(&d);
	config_free(c);
}

static void test_no_btf(void **state)
{
	static const struct refusal rows_without[] = {
		{4, ENUM("state"), "cannot read the kernel's BTF from /nonexistent: "},
	};
	struct decode_env env = {0};

	(void)state;
	assert_int_equal(hostnames_new("/nonexistent", &env.host), 0);
	CHECK_REFUSALS(&env, rows_without);
	hostnames_free(env.host);
}

/* An enum of the kernel's interface to programs, whose numbers never change. */
static void test_this_kernel(void **state)
{
	static const struct decoding usual[] = {
		{ENUM("bpf_map_type"), BYTES("1"), 0, "BPF_MAP_TYPE_HASH"},
		{ENUM("bpf_cmd"), BYTES("5"), 0, "BPF_PROG_LOAD"},
	};
	struct decode_env env = {0};

	(void)state;
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		skip(); /* this kernel has no BTF */
	assert_int_equal(hostnames_new(NULL, &env.host), 0);
	CHECK_DECODINGS(&env, usual);
	hostnames_free(env.host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),         cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_a_mere_check), cmocka_unit_test(test_no_btf),
		cmocka_unit_test(test_this_kernel),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
