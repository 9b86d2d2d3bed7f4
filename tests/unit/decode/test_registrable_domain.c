// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "decode/hostnames.h"
#include "decode/suffixes.h"
#include "decoding.h"

#define NAME(in, out)                                                                              \
	{                                                                                          \
		TEXT("{name: registrable_domain}"), BYTES(in), 0, out                              \
	}
#define WIRE(in, out)                                                                              \
	{                                                                                          \
		"[{name: dname}, {name: registrable_domain}]", BYTES(in), 0, out                   \
	}

/* A list of this test: the host's may change. */
static const char list_text[] = "com\nuk\nco.uk\n*.ck\n!www.ck\ngithub.io\nxn--p1ai\n";

static const struct decoding rows[] = {
	NAME("example.com", "example.com"),
	NAME("www.example.com", "example.com"),
	NAME("a.b.c.example.co.uk", "example.co.uk"),
	NAME("example.uk", "example.uk"),
	NAME("user.github.io", "user.github.io"),
	/* a suffix itself */
	NAME("com", "com"),
	NAME("co.uk", "co.uk"),
	NAME("github.io", "github.io"),
	/* a wildcard, and an exception from it */
	NAME("any.ck", "any.ck"),
	NAME("a.any.ck", "a.any.ck"),
	NAME("b.a.any.ck", "a.any.ck"),
	NAME("b.www.ck", "www.ck"),
	/* not in the list: the last label is the suffix */
	NAME("printer.office.lan", "office.lan"),
	NAME("localhost", "localhost"),
	NAME("_dmarc.mail.example.com", "example.com"),
	NAME("a.xn--e1afmkfd.xn--p1ai", "xn--e1afmkfd.xn--p1ai"),
	/* in any case, with a dot at the end */
	NAME("WwW.eXAMPLE.cOM", "example.com"),
	NAME("www.example.com.", "example.com"),
	WIRE("\3www\7example\3com\0", "example.com"),
	WIRE("\3www\7Example\2Co\2uk\0", "example.co.uk"),
	WIRE("\0", "."),
	/* what is no name gives something, and is made valid UTF-8 */
	WIRE("\3a\0b\3com\0", "a?b.com"),
	WIRE("\2\xff\xfe\3com\0", "\xef\xbf\xbd\xef\xbf\xbd.com"),
	WIRE("\3a.b\3com\0", "b.com"),
	NAME("...", ".."),
	NAME(".com", ".com"),
};

/* The name of @len bytes at @in becomes @out. */
static void check_name(const struct decode_env *env, const char *in, uint32_t len, const char *out)
{
	check_decoding(env,
		       &(struct decoding){TEXT("{name: registrable_domain}"), in, len, 0, out});
}

/* RFC 1035 allows 255 bytes. */
static void check_longest(const struct decode_env *env)
{
	char name[300], text[301] = "";

	memset(name, 'a', sizeof(name));
	name[250] = '.', name[251] = 'c', name[252] = 'o', name[253] = 'm';
	check_name(env, name, 254, memcpy(text, name, 254));
	name[0] = name[1] = name[2] = 'w', name[3] = '.';
	check_name(env, name, 254, text + 4);
	memset(name, 'A', sizeof(name));
	check_name(env, name, sizeof(name), memcpy(text, name, sizeof(name)));
}

static void test_rows(void **state)
{
	char path[] = "/tmp/wiregauge-suffixes-XXXXXX";
	struct hostnames host = {0};
	const struct decode_env env = {.host = &host};

	(void)state;
	assert_true(decoding_make_file(path, list_text));
	assert_int_equal(suffixes_new(path, &host.suffixes), 0);
	CHECK_DECODINGS(&env, rows);
	suffixes_free(host.suffixes);
	unlink(path);
}

static void test_this_host(void **state)
{
	struct hostnames *host;
	struct decode_env env = {0};

	(void)state;
	assert_int_equal(hostnames_new(NULL, &host), 0);
	env.host = host;
	check_decoding(&env, &(struct decoding)NAME("a.b.example.co.uk", "example.co.uk"));
	check_decoding(&env, &(struct decoding)NAME("4.3.2.1.in-addr.arpa", "1.in-addr.arpa"));
	check_longest(&env);
	hostnames_free(host);
}

static void test_without_a_list(void **state)
{
	struct hostnames host = {0};
	const struct decode_env env = {.host = &host};

	(void)state;
	assert_int_equal(suffixes_new("/does/not/exist", &host.suffixes), 0);
	check_decoding(&env, &(struct decoding)NAME("www.example.co.uk", "co.uk"));
	check_decoding(&env, &(struct decoding)NAME("localhost", "localhost"));
	suffixes_free(host.suffixes);
}

static void test_refusals(void **state)
{
	static const struct refusal refused[] = {
		{4, "[{name: registrable_domain}]",
		 "decoder 'registrable_domain' cannot be the first"},
	};
	static const struct decode_env nothing;

	(void)state;
	CHECK_REFUSALS(&nothing, refused);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_this_host),
		cmocka_unit_test(test_without_a_list),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
