// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "http/head.h"

#define GET "GET /metrics HTTP/1.1\r\nHost: x\r\n"

/* Looks for the end byte by byte, as the slowest client sends it, then parses. */
static unsigned read_head(const char *text, size_t len, char *to, struct head *h)
{
	size_t scanned = 0, end = 0;
	unsigned status = 0;

	memcpy(to, text, len);
	for (size_t have = 1; have <= len && !status && !end; have++)
		status = head_find_end(to, have, &scanned, &end);
	if (status)
		return status;
	assert_int_equal(end, len);
	return head_parse(to, end, h);
}

static void test_what_a_request_says(void **state)
{
	static const char text[] = "GET /a%2Fb%41?name[]=x&%zz HTTP/1.1\r\n"
				   "host:  example \t\r\n"
				   "Accept: a\r\n"
				   "ACCEPT: b\r\n"
				   "X-Empty:\r\n"
				   "\r\n";
	char memory[sizeof(text)];
	struct head h;

	(void)state;
	assert_int_equal(read_head(text, strlen(text), memory, &h), 0);
	assert_string_equal(h.method, "GET");
	assert_string_equal(h.path, "/a/bA");
	assert_string_equal(head_find(&h, "Host"), "example");
	assert_string_equal(head_find(&h, "accept"), "a");
	assert_string_equal(head_find(&h, "x-empty"), "");
	assert_null(head_find(&h, "Accep"));
	assert_true(h.keep_alive);
	assert_false(h.http_1_0 || h.has_length || h.chunked || h.expects_continue);
}

static void test_paths(void **state)
{
	static const struct {
		const char *target;
		const char *path; /* NULL: refused */
	} rows[] = {
		{"/", "/"},
		{"*", "*"},
		{"/a?b?c", "/a"},
		{"/%7e%7E", "/~~"},
		{"http://host:1/metrics?x", "/metrics"},
		{"HTTP://host/", "/"},
		{"https://host", "/"},
		{"http://host?x", "/"},
		{"metrics", NULL},
		{"host:443", NULL},
		{"ftp://host/", NULL},
		{"/%", NULL},
		{"/%4", NULL},
		{"/%4g", NULL},
		{"/%00", NULL},
		{"/a#b", NULL},
		{"/\xc3\xa4", NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[128], memory[128];
		struct head h;
		int len = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n",
				   rows[i].target);
		unsigned status = read_head(text, (size_t)len, memory, &h);

		if (status != (rows[i].path ? 0 : 400))
			fail_msg("%s: %u", rows[i].target, status);
		if (rows[i].path)
			assert_string_equal(h.path, rows[i].path);
	}
}

static void test_what_is_refused(void **state)
{
	static const struct {
		unsigned status;
		const char *text;
	} rows[] = {
		{0, GET "\r\n"},
		{0, "GET / HTTP/1.0\r\n\r\n"},
		{0, "BREW / HTTP/1.1\r\nHost:\r\n\r\n"},
		{0, GET "Transfer-Encoding: Chunked\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\n\r\n"}, /* no Host */
		{400, GET "Host: y\r\n\r\n"},
		{400, "GET / HTTP/1.1\nHost: x\n\n"},
		{400, "GET / HTTP/1.1\rHost: x\r\r"},
		{400, "GET  / HTTP/1.1\r\nHost: x\r\n\r\n"},
		{400, "GET / HTTP/1.1 \r\nHost: x\r\n\r\n"},
		{400, "GET /\r\n\r\n"},
		{400, "GET\r\n\r\n"},
		{400, " GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
		{400, "G(T / HTTP/1.1\r\nHost: x\r\n\r\n"},
		{400, "GET / http/1.1\r\nHost: x\r\n\r\n"},
		{400, "GET / HTTP/1.10\r\nHost: x\r\n\r\n"},
		{505, "GET / HTTP/2.0\r\nHost: x\r\n\r\n"},
		{505, "PRI * HTTP/2.0\r\n\r\n"},
		{505, "GET / HTTP/0.9\r\n\r\n"},
		{400, "\x16\x03\x01\x02"},
		{400, GET "A: \x01\r\n\r\n"},
		{400, GET "A : b\r\n\r\n"},
		{400, GET "A: b\r\n folded\r\n\r\n"},
		{400, GET ": nameless\r\n\r\n"},
		{400, GET "no colon\r\n\r\n"},
		{400, GET "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"},
		{400, GET "Content-Length: 5, 5\r\n\r\n"},
		{400, GET "Content-Length: -1\r\n\r\n"},
		{400, GET "Content-Length: +1\r\n\r\n"},
		{400, GET "Content-Length:\r\n\r\n"},
		{413, GET "Content-Length: 99999999999999999999\r\n\r\n"},
		{400, GET "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"},
		{400, GET "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"},
		{400, GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"},
		{400, "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
		{501, GET "Transfer-Encoding: gzip, chunked\r\n\r\n"},
		{501, GET "Transfer-Encoding: xchunked\r\n\r\n"},
		{417, GET "Expect: miracles\r\n\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char memory[256];
		struct head h;
		unsigned status = read_head(rows[i].text, strlen(rows[i].text), memory, &h);

		if (status != rows[i].status)
			fail_msg("%s: %u instead of %u", rows[i].text, status, rows[i].status);
	}
}

static void test_which_connections_stay(void **state)
{
	static const struct {
		bool keep;
		const char *text;
	} rows[] = {
		{true, GET "\r\n"},
		{false, GET "Connection: close\r\n\r\n"},
		{false, GET "Connection: Upgrade ,\tCLOSE\r\n\r\n"},
		{true, GET "Connection: closer\r\n\r\n"},
		{false, GET "Connection: close, keep-alive\r\n\r\n"},
		{false, GET "Connection: close\r\nConnection: keep-alive\r\n\r\n"},
		{false, "GET / HTTP/1.0\r\n\r\n"},
		{false, "GET / HTTP/1.0\r\nConnection: close, keep-alive\r\n\r\n"},
		{true, "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char memory[256];
		struct head h = {0};

		assert_int_equal(read_head(rows[i].text, strlen(rows[i].text), memory, &h), 0);
		if (h.keep_alive != rows[i].keep)
			fail_msg("%s", rows[i].text);
	}
}

/* Without the NUL. */
static void put(char *to, const char *s)
{
	for (; *s; s++)
		*to++ = *s;
}

static void test_sizes(void **state)
{
	size_t len = HEAD_MAX + 1, scanned = 0, end;
	char *text = malloc(len);
	struct head h;

	(void)state;
	memset(text, 'a', len);
	assert_int_equal(head_find_end(text, HEAD_MAX - 1, &scanned, &end), 0);
	assert_int_equal(end, 0);
	assert_int_equal(head_find_end(text, len, &scanned, &end), 414);

	/* The largest that fits, and one byte more. */
	for (size_t more = 0; more < 2; more++) {
		memset(text, 'a', len);
		put(text, GET "A:");
		put(text + HEAD_MAX + more - 4, "\r\n\r\n");
		scanned = 0;
		assert_int_equal(head_find_end(text, HEAD_MAX + more, &scanned, &end),
				 more ? 431 : 0);
		assert_int_equal(end, more ? 0 : HEAD_MAX);
	}
	for (unsigned n = HEAD_FIELDS_MAX; n <= HEAD_FIELDS_MAX + 1; n++) {
		char *at = stpcpy(text, "GET / HTTP/1.0\r\n");

		for (unsigned i = 0; i < n; i++)
			at = stpcpy(at, "a: b\r\n");
		at = stpcpy(at, "\r\n");
		assert_int_equal(head_parse(text, (size_t)(at - text), &h),
				 n > HEAD_FIELDS_MAX ? 431 : 0);
	}
	free(text);
}

static void test_empty_lines_before(void **state)
{
	size_t scanned = 0, end;

	(void)state;
	assert_int_equal(head_skip_blank("\r\n\r\nGET", 7), 4);
	assert_int_equal(head_skip_blank("\r", 1), 0);
	assert_int_equal(head_skip_blank("", 0), 0);
	assert_int_equal(head_find_end("\r", 1, &scanned, &end), 0);
	assert_int_equal(end, 0);
	assert_int_equal(head_find_end("\rG", 2, &scanned, &end), 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_a_request_says),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_which_connections_stay),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_empty_lines_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
