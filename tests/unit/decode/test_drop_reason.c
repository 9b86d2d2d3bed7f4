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

#define REASON TEXT("{name: drop_reason}")

struct enumeration {
	const char *name;
	struct {
		const char *name;
		uint32_t number;
	} values[8];
};

static const struct enumeration core = {"skb_drop_reason",
					{{"SKB_NOT_DROPPED_YET", 0},
					 {"SKB_CONSUMED", 1},
					 {"SKB_DROP_REASON_NOT_SPECIFIED", 2},
					 {"SKB_DROP_REASON_NO_SOCKET", 3},
					 {"SKB_DROP_REASON_SUBSYS_MASK", 0xffff0000}}};

static const struct enumeration systems = {"skb_drop_reason_subsys",
					   {{"SKB_DROP_REASON_SUBSYS_CORE", 0},
					    {"SKB_DROP_REASON_SUBSYS_MAC80211_UNUSABLE", 1},
					    {"SKB_DROP_REASON_SUBSYS_OPENVSWITCH", 2},
					    {"SKB_DROP_REASON_SUBSYS_NEWER", 3}}};

/* Where the module is a part of the kernel; mac80211 is not there. */
static const struct enumeration openvswitch = {"ovs_drop_reason",
					       {{"__OVS_DROP_REASON", 0x20000},
						{"OVS_DROP_LAST_ACTION", 0x20001}}};

static const struct enumeration other = {"state", {{"STATE_NONE", 0}}};

static void add_enum(struct btf *btf, const struct enumeration *e)
{
	btf__add_enum(btf, e->name, 4);
	for (size_t i = 0; i < ARRAY_SIZE(e->values) && e->values[i].name; i++)
		btf__add_enum_value(btf, e->values[i].name, (int32_t)e->values[i].number);
}

/* A file of BTF at @path, "…XXXXXX", with these enums. */
static void write_btf(char *path, const struct enumeration *const *enums, size_t count)
{
	struct btf *btf = btf__new_empty();
	int fd = mkstemp(path);
	const void *data;
	uint32_t size;

	assert_true(fd >= 0);
	assert_non_null(btf);
	for (size_t i = 0; i < count; i++)
		add_enum(btf, enums[i]);
	data = btf__raw_data(btf, &size);
	assert_int_equal(write(fd, data, size), size);
	close(fd);
	btf__free(btf);
}

static void check(const struct enumeration *const *enums, size_t n_enums,
		  const struct decoding *rows, size_t n_rows)
{
	char path[] = "/tmp/wg-btf-XXXXXX";
	struct decode_env env = {0};

	write_btf(path, enums, n_enums);
	assert_int_equal(hostnames_new(path, &env.host), 0);
	for (size_t i = 0; i < n_rows; i++)
		check_decoding(&env, &rows[i]);
	hostnames_free(env.host);
	unlink(path);
}

static void test_rows(void **state)
{
	static const struct enumeration *const enums[] = {&core, &systems, &openvswitch};
	static const struct decoding rows[] = {
		{REASON, BYTES("3"), 0, "NO_SOCKET"},
		{REASON, BYTES("2"), 0, "NOT_SPECIFIED"},
		{REASON, BYTES("1"), 0, "SKB_CONSUMED"},
		{REASON, BYTES("4"), 0, "unknown:4"},
		{REASON, BYTES("131073"), 0, "OVS_DROP_LAST_ACTION"}, /* 2 << 16 | 1 */
		{REASON, BYTES("131079"), 0, "OPENVSWITCH_7"},
		{REASON, BYTES("65537"), 0, "MAC80211_UNUSABLE_1"},
		{REASON, BYTES("196609"), 0, "NEWER_1"},
		{REASON, BYTES("262145"), 0, "unknown:262145"},
		{REASON, BYTES("x"), -EINVAL, NULL},
		{"[" UINT ", {name: drop_reason}]", BYTES("\3\0\0\0"), 0, "NO_SOCKET"},
	};

	(void)state;
	check(enums, ARRAY_SIZE(enums), rows, ARRAY_SIZE(rows));
}

static void test_no_subsystems(void **state)
{
	static const struct enumeration *const enums[] = {&core};
	static const struct decoding rows[] = {
		{REASON, BYTES("3"), 0, "NO_SOCKET"},
		{REASON, BYTES("131073"), 0, "unknown:131073"},
	};

	(void)state;
	check(enums, ARRAY_SIZE(enums), rows, ARRAY_SIZE(rows));
}

static void test_no_reasons(void **state)
{
	static const struct enumeration *const enums[] = {&other};
	static const struct decoding rows[] = {
		{REASON, BYTES("0"), 0, "NOT_SPECIFIED"},
		{REASON, BYTES("3"), 0, "unknown:3"},
	};

	(void)state;
	check(enums, ARRAY_SIZE(enums), rows, ARRAY_SIZE(rows));
}

static void test_refusals(void **state)
{
	static const struct refusal rows[] = {
		{4, REASON, "cannot read the kernel's BTF from /nonexistent: "},
		{4, "[{name: drop_reason}]", "decoder 'drop_reason' cannot be the first"},
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
		cmocka_unit_test(test_no_subsystems),
		cmocka_unit_test(test_no_reasons),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
