// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "decoding.h"

#define V6(tail)     "\x20\x01\x0d\xb8\xff\xff\0\0\0\0\0\0\0\0" tail
#define MAPPED(tail) "\0\0\0\0\0\0\0\0\0\0\xff\xff" tail

static const struct decode_env nothing;

static const struct decoding rows[] = {
	{"[{name: prefix, prefix: 16}]", BYTES("\x0a\1\2\3"), 0, "10.1.0.0/16"},
	{"[{name: prefix, prefix: 24}]", BYTES("\x0a\1\2\3"), 0, "10.1.2.0/24"},
	{"[{name: prefix, prefix: 32}]", BYTES("\x0a\1\2\3"), 0, "10.1.2.3/32"},
	{"[{name: prefix, prefix: 0}]", BYTES("\x0a\1\2\3"), 0, "0.0.0.0/0"},
	{"[{name: prefix, prefix: 9}]", BYTES("\x0a\xff\xff\xff"), 0, "10.128.0.0/9"},
	{"[{name: prefix, prefix: 31}]", BYTES("\x0a\xff\xff\xff"), 0, "10.255.255.254/31"},
	{"[{name: prefix, prefix: 1}]", BYTES("\xff\xff\xff\xff"), 0, "128.0.0.0/1"},
	{"[{name: prefix, prefix6: 32}]", BYTES(V6("\0\1")), 0, "2001:db8::/32"},
	{"[{name: prefix, prefix6: 33}]", BYTES(V6("\0\1")), 0, "2001:db8:8000::/33"},
	{"[{name: prefix, prefix6: 64}]", BYTES(V6("\0\1")), 0, "2001:db8:ffff::/64"},
	{"[{name: prefix, prefix6: 128}]", BYTES(V6("\0\1")), 0, "2001:db8:ffff::1/128"},
	{"[{name: prefix, prefix6: 0}]", BYTES(V6("\0\1")), 0, "::/0"},
	/* IPv4 in IPv6, as dual-stack sockets have it */
	{"[{name: prefix, prefix: 8, prefix6: 64}]", BYTES(MAPPED("\x0a\1\2\3")), 0, "10.0.0.0/8"},
	{"[{name: prefix, prefix6: 64}]", BYTES(MAPPED("\x0a\1\2\3")), 0, "10.1.2.3/32"},
};

static void test_rows(void **state)
{
	(void)state;
	CHECK_DECODINGS(&nothing, rows);
}

static const struct refusal refusals[] = {
	{4, "[{name: prefix}]", "decoder 'prefix' needs 'prefix' for the addresses of label 'l'"},
	{4, "[{name: prefix, prefix6: 64}]", "needs 'prefix' for"},
	{16, "[{name: prefix, prefix: 24}]", "needs 'prefix6' for"},
	{8, "[{name: prefix, prefix: 24}]",
	 "has a size of 8 bytes, but its decoder 'prefix' takes 4 or 16"},
	{4, "[{name: inet_ip, prefix: 24}]", "decoder 'inet_ip' takes no 'prefix'"},
	{16, "[{name: inet_ip, prefix6: 64}]", "decoder 'inet_ip' takes no 'prefix6'"},
	{4, "[{name: inet_ip}, {name: prefix, prefix: 8}]", "it must be the first"},
};

static void test_refusals(void **state)
{
	(void)state;
	CHECK_REFUSALS(&nothing, refusals);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
