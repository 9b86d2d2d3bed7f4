// SPDX-License-Identifier: MIT
/* Every decoder, alone and in chains: what config-file authors rely on, byte by byte. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "decoding.h"
#include "kernel/ksyms.h"
#include "kernel/links.h"

struct fixture {
	struct links *links;
	struct ksyms *ksyms;
};

static int set_up(void **state)
{
	static struct fixture f;
	struct error error;

	/* A namespace of our own: there, interface 1 is lo and there is no other. */
	if (unshare(CLONE_NEWNET) || links_open(&f.links, &error) || ksyms_new(&f.ksyms))
		return -1;
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	links_close(f->links);
	ksyms_free(f->ksyms);
	return 0;
}

static const struct decoding rows[] = {
	/* uint: host order, which these tests write as little endian */
	{"[" UINT "]", BYTES("\x2a"), 0, "42"},
	{"[" UINT "]", BYTES("\x01\x02"), 0, "513"},
	{"[" UINT "]", BYTES("\xff\xff\xff\xff"), 0, "4294967295"},
	{"[" UINT "]", BYTES("\xff\xff\xff\xff\xff\xff\xff\xff"), 0, "18446744073709551615"},
	{"[" UINT "]", BYTES("\0\0\0\0\0\0\0\0"), 0, "0"},
	/* string */
	{"[{name: string}]", BYTES("sshd\0junk"), 0, "sshd"},
	{"[{name: string}]", BYTES("full"), 0, "full"},
	{"[{name: string}]", BYTES("\0\0\0"), 0, ""},
	{"[{name: string}]", BYTES("a\xff\xc3\xa4"), 0, "a\xef\xbf\xbd\xc3\xa4"},
	/* hex */
	{"[{name: hex}]", BYTES("\x00\xde\xad\x0f"), 0, "00dead0f"},
	/* inet_ip */
	{"[{name: inet_ip}]", BYTES("\x0a\x00\x00\x01"), 0, "10.0.0.1"},
	{"[{name: inet_ip}]", BYTES("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"), 0,
	 "2001:db8::1"},
	{"[{name: inet_ip}]", BYTES("\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\x02"), 0, "10.0.0.2"},
	{"[{name: inet_ip}]", BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), 0, "::"},
	{"[{name: inet_ip}]", BYTES("\x01\x02\x03"), 0, "?010203"},
	/* ifname */
	{"[{name: ifname}]", BYTES("\x01\0\0\0"), 0, "lo"},
	{"[{name: ifname}]", BYTES("\x39\x05\0\0"), DECODE_UNKNOWN, "unknown:1337"},
	/* static_map, after uint as everybody has it */
	{"[" UINT ", {name: static_map, static_map: {0: no, 1: 'yes'}}]", BYTES("\x01"), 0, "yes"},
	{"[" UINT ", {name: static_map, static_map: {0: no}}]", BYTES("\x07"), 0, "unknown:7"},
	{"[" UINT ", {name: static_map, allow_unknown: true, static_map: {0: a}}]", BYTES("\x07"),
	 0, "7"},
	{"[" UINT ", {name: static_map, static_map: {}}]", BYTES("\x07"), 0, "empty mapping"},
	{"[{name: string}, {name: static_map, static_map: {ab: c}}]", BYTES("ab\0"), 0, "c"},
	{"[{name: hex}, {name: static_map, static_map: {0a: ten}}]", BYTES("\x0a"), 0, "ten"},
	/* ksym: nothing is at address 1 */
	{"[{name: ksym}]", BYTES("\x01\0\0\0\0\0\0\0"), DECODE_UNKNOWN, "unknown_addr:0x1"},
	/* ip_proto and ethertype: one number space, in either order of growing strictness */
	{"[" UINT ", {name: ip_proto}]", BYTES("\x06"), 0, "tcp"},
	{"[" UINT ", {name: ip_proto}]", BYTES("\x3a"), 0, "icmpv6"},
	{"[" UINT ", {name: ip_proto}]", BYTES("\xfd"), 0, "253"},
	{"[" UINT ", {name: ip_proto}]", BYTES("\x06\x08"), 0, "2054"},
	{"[{name: string}, {name: ip_proto}]", BYTES("tcp"), -EINVAL, NULL},
	{"[" UINT ", {name: ethertype}]", BYTES("\x06\x08"), 0, "arp"},
	{"[" UINT ", {name: ethertype}]", BYTES("\xb5\x88"), 0, "0x88b5"},
	{"[" UINT ", {name: ethertype}]", BYTES("\xff\x05"), 0, "1535"},
	{"[" UINT ", {name: ip_proto}, {name: ethertype}]", BYTES("\x11\x00"), 0, "udp"},
	{"[" UINT ", {name: ip_proto}, {name: ethertype}]", BYTES("\xcc\x88"), 0, "lldp"},
};

static struct decode_env env_of(void **state)
{
	const struct fixture *f = *state;

	return (struct decode_env){.links = f->links, .ksyms = f->ksyms};
}

static void test_rows(void **state)
{
	const struct decode_env env = env_of(state);

	CHECK_DECODINGS(&env, rows);
}

/* /proc/kallsyms as another reader sees it. */
static void test_ksym_knows_what_kallsyms_says(void **state)
{
	const struct decode_env env = env_of(state);
	unsigned long long address = 0;
	char line[512], name[256] = "", wanted[] = "[{name: ksym}]";
	FILE *kallsyms = fopen("/proc/kallsyms", "r");
	uint64_t key;

	assert_non_null(kallsyms);
	while (fgets(line, sizeof(line), kallsyms)) {
		if (sscanf(line, "%llx %*c %255s", &address, name) == 2 &&
		    STREQ(name, "tcp_v4_connect"))
			break;
	}
	fclose(kallsyms);
	assert_string_equal(name, "tcp_v4_connect");
	if (address == 0)
		skip(); /* addresses are hidden from us */
	key = address;
	check_decoding(&env, &(struct decoding){wanted, (const char *)&key, sizeof(key), 0,
						"tcp_v4_connect"});
}

static const struct refusal refusals[] = {
	{4, "[{name: uitn}]", "unknown decoder 'uitn', did you mean 'uint'?"},
	{4, "[{name: frobnicate}]", "unknown decoder 'frobnicate'; there are: "},
	{3, "[{name: uint}]",
	 "label 'l' has a size of 3 bytes, but its decoder 'uint' takes 1, 2, 4 or 8"},
	{8, "[{name: ifname}]",
	 "label 'l' has a size of 8 bytes, but its decoder 'ifname' takes 4"},
	{4, "[{name: uint, static_map: {1: a}}]", "decoder 'uint' takes no 'static_map'"},
	{4, "[{name: uint}, {name: static_map}]", "decoder 'static_map' needs 'static_map'"},
	{4, "[{name: string, regexps: ['a']}]", "decoder 'string' takes no 'regexps'"},
	/* what cannot follow what */
	{4, "[{name: string}, {name: uint}]",
	 "decoder 'uint' takes the bytes of the key, so it must be the first; 'string' before it "
	 "gives text"},
	{4, "[{name: ip_proto}]",
	 "decoder 'ip_proto' cannot be the first: it takes text, not the bytes of the key; put "
	 "before it "},
	{4, "[{name: ifname}, {name: ip_proto}]",
	 "decoder 'ip_proto' takes a decimal number, but 'ifname' before it gives a name; have "
	 "instead "},
	/* told once, with the others */
	{3, "[{name: uitn}, {name: ip_proto}]", "'uitn', did you mean 'uint'?"},
};

static void test_refusals(void **state)
{
	const struct decode_env env = env_of(state);

	CHECK_REFUSALS(&env, refusals);
}

/* What a step passes on as it was is valid at the end all the same. */
static void test_text_is_always_valid(void **state)
{
	static const struct decoding raw[] = {
		{"[{name: static_map, allow_unknown: true, static_map: {a: b}}]", BYTES("a\xff"), 0,
		 "a\xef\xbf\xbd"},
		{"[{name: static_map, static_map: {a: b}}]", BYTES("\xc3"), 0,
		 "unknown:\xef\xbf\xbd"},
	};
	const struct decode_env env = env_of(state);

	CHECK_DECODINGS(&env, raw);
}

static void test_registry(void **state)
{
	(void)state;
	for (size_t i = 0; decoder_at(i); i++) {
		assert_ptr_equal(decoder_find(decoder_at(i)->name), decoder_at(i));
		assert_non_null(decoder_at(i)->doc);
	}
	assert_null(decoder_find("no such decoder"));
}

static void test_parse_decimal(void **state)
{
	uint64_t n = 7;

	(void)state;
	assert_int_equal(decode_parse_decimal("18446744073709551615", 20, &n), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(decode_parse_decimal("18446744073709551616", 20, &n), -EINVAL);
	assert_int_equal(decode_parse_decimal("", 0, &n), -EINVAL);
	assert_int_equal(decode_parse_decimal("1a", 2, &n), -EINVAL);
	assert_int_equal(decode_parse_decimal("-1", 2, &n), -EINVAL);
	assert_true(n == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_ksym_knows_what_kallsyms_says),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_text_is_always_valid),
		cmocka_unit_test(test_registry),
		cmocka_unit_test(test_parse_decimal),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
