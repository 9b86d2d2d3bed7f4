// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "decode/hostnames.h"
#include "decode/services.h"
#include "decoding.h"

#define PORT(keys) TEXT("{name: port_name" keys "}")

/* What services(5) allows. */
static const char file[] = "# comment\n"
			   "\n"
			   "http\t80/tcp\t\twww\t# WorldWideWeb\n"
			   "shell 514/tcp cmd syslog-not\n"
			   "syslog 514/udp\n"
			   "first 7/tcp\n"
			   "second 7/tcp\n"
			   "only-udp 9000/udp\r\n"
			   "assoc 9001/sctp\n"
			   "dgram 9002/dccp\n"
			   "other 9003/ddp\n"
			   "bad x/tcp\nbad /tcp\nbad 70000/tcp\nbad\nbad 12\nbad 9004x/tcp\n"
			   "last 65535/tcp";

static char path[] = "/tmp/wg-services-XXXXXX";

static int set_up(void **state)
{
	static struct hostnames host;
	static struct decode_env env = {.host = &host};

	*state = &env;
	return decoding_make_file(path, file) ? services_new(path, &host.services) : -1;
}

static int tear_down(void **state)
{
	services_free(((struct decode_env *)*state)->host->services);
	unlink(path);
	return 0;
}

static const struct decoding rows[] = {
	{PORT(""), BYTES("80"), 0, "http"},
	{PORT(""), BYTES("65535"), 0, "last"},
	/* of several names the first, of several protocols TCP's */
	{PORT(""), BYTES("7"), 0, "first"},
	{PORT(""), BYTES("514"), 0, "shell"},
	{PORT(", protocol: any"), BYTES("514"), 0, "shell"},
	{PORT(", protocol: tcp"), BYTES("514"), 0, "shell"},
	{PORT(", protocol: udp"), BYTES("514"), 0, "syslog"},
	{PORT(""), BYTES("9000"), 0, "only-udp"},
	{PORT(", protocol: tcp"), BYTES("9000"), 0, "9000"},
	{PORT(", protocol: sctp"), BYTES("9001"), 0, "assoc"},
	{PORT(", protocol: dccp"), BYTES("9002"), 0, "dgram"},
	/* no name: the number */
	{PORT(""), BYTES("9003"), 0, "9003"},
	{PORT(""), BYTES("9004"), 0, "9004"},
	{PORT(""), BYTES("12"), 0, "12"},
	{PORT(""), BYTES("0"), 0, "0"},
	/* no port */
	{PORT(""), BYTES("65536"), -EINVAL, NULL},
	{PORT(""), BYTES("http"), -EINVAL, NULL},
	{"[" UINT ", {name: port_name}]", BYTES("\x50\0"), 0, "http"},
};

static void test_rows(void **state)
{
	CHECK_DECODINGS(*state, rows);
}

static void test_without_the_file(void **state)
{
	struct hostnames host = {0};
	const struct decode_env env = {.host = &host};

	(void)state;
	assert_int_equal(services_new("/nonexistent/services", &host.services), 0);
	check_decoding(&env, &(struct decoding){PORT(""), BYTES("80"), 0, "80"});
	services_free(host.services);
}

/* The C library reads the same file. */
static void test_this_host_as_the_c_library(void **state)
{
	struct services *s;

	(void)state;
	if (access("/etc/services", R_OK))
		skip(); /* no netbase here */
	assert_int_equal(services_new(NULL, &s), 0);
	for (unsigned port = 1; port < 1024; port++) {
		const char *name = services_name(s, (uint16_t)port, PROTOCOL_TCP);
		struct servent memory, *entry;
		char texts[1024];

		getservbyport_r(htons((uint16_t)port), "tcp", &memory, texts, sizeof(texts),
				&entry);
		assert_int_equal(entry != NULL, name != NULL);
		if (entry)
			assert_string_equal(name, entry->s_name);
	}
	services_free(s);
}

static void *ask(void *ctx)
{
	for (unsigned i = 0; i < 1000; i++) {
		if (!STREQ(services_name(ctx, 80, PROTOCOL_ANY), "http"))
			abort();
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct services *s;
	pthread_t threads[4];

	(void)state;
	assert_int_equal(services_new(path, &s), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask, s), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	services_free(s);
}

static void test_refusals(void **state)
{
	static const struct refusal refused[] = {
		{2, "[{name: port_name}]", "decoder 'port_name' cannot be the first"},
		{2, "[{name: uint, protocol: tcp}]", "decoder 'uint' takes no 'protocol'"},
	};

	CHECK_REFUSALS(*state, refused);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_without_the_file),
		cmocka_unit_test(test_this_host_as_the_c_library),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
