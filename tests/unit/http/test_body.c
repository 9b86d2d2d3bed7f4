// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "http/body.h"

struct outcome {
	unsigned status;
	bool done;
	size_t used;
	char content[64];
};

/* Reads @text, as it comes in pieces of @step bytes. */
static struct outcome read_body(struct head h, const char *text, size_t step)
{
	struct outcome o = {0};
	struct body b;
	size_t have = 0, len = strlen(text);

	o.status = body_begin(&b, &h);
	while (!o.status && b.state != BODY_DONE && o.used < len) {
		size_t used, content;

		if (o.used == have)
			have = MIN(have + step, len);
		o.status = body_take(&b, text + o.used, have - o.used, &used, &content);
		if (o.status)
			break;
		o.used += used;
		assert_true(strlen(o.content) + content < sizeof(o.content));
		strncat(o.content, text + o.used - content, content);
	}
	o.done = !o.status && b.state == BODY_DONE;
	return o;
}

static const struct head chunked = {.chunked = true};

static void test_lengths(void **state)
{
	const struct head none = {0}, five = {.has_length = true, .content_length = 5};
	const struct head most = {.has_length = true, .content_length = BODY_MAX};
	const struct head more = {.has_length = true, .content_length = BODY_MAX + 1};

	(void)state;
	assert_true(read_body(none, "GET", 9).done);
	assert_int_equal(read_body(none, "GET", 9).used, 0);
	assert_int_equal(read_body(most, "", 1).status, 0);
	assert_int_equal(read_body(more, "", 1).status, 413);
	assert_false(read_body(five, "1234", 9).done);
	for (size_t step = 1; step < 9; step++) {
		struct outcome o = read_body(five, "12345GET", step);

		assert_true(o.done);
		assert_int_equal(o.used, 5);
		assert_string_equal(o.content, "12345");
	}
}

static void test_chunks(void **state)
{
	static const struct {
		const char *text;
		const char *content;
	} rows[] = {
		{"0\r\n\r\n", ""},
		{"5\r\nabcde\r\n0\r\n\r\n", "abcde"},
		{"05\r\nabcde\r\nA\r\n0123456789\r\n000\r\n\r\n", "abcde0123456789"},
		{"1;name=value\r\na\r\n1 ; x\r\nb\r\n0\r\n\r\n", "ab"},
		{"2\r\n\r\n\r\n0\r\nTrailer: x\r\nMore: y\r\n\r\n", "\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t step = 1; step < 40; step++) {
			char text[128];
			struct outcome o;

			snprintf(text, sizeof(text), "%sGET", rows[i].text);
			o = read_body(chunked, text, step);
			assert_true(o.done);
			assert_int_equal(o.used, strlen(rows[i].text));
			assert_string_equal(o.content, rows[i].content);
		}
	}
}

static void test_what_is_refused(void **state)
{
	static const struct {
		unsigned status;
		const char *text;
	} rows[] = {
		{400, "\r\n"},
		{400, "z\r\n"},
		{400, "-1\r\n"},
		{400, "0x5\r\n"},
		{400, ";x\r\n"},
		{400, "5\nabcde"},
		{400, "5;x\n"},
		{400, "5\r\nabcdeX"},
		{400, "5\r\nabcde\n"},
		{400, "0\r\nTrailer\n"},
		{400, "0\r\n\rX"},
		{413, "800001\r\n"},
		{413, "ffffffffffffffffff\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome o = read_body(chunked, rows[i].text, 1);

		if (o.status != rows[i].status)
			fail_msg("%s: %u", rows[i].text, o.status);
	}
}

/* Neither all chunks together nor what is around them goes on for ever. */
static void test_bounds(void **state)
{
	struct body b;
	size_t used, content;
	unsigned status = 0;

	(void)state;
	assert_int_equal(body_begin(&b, &chunked), 0);
	for (unsigned i = 0; i < 10000 && !status; i++)
		status = body_take(&b, i ? "x" : "1;", i ? 1 : 2, &used, &content);
	assert_int_equal(status, 431);

	assert_int_equal(body_begin(&b, &chunked), 0);
	b.content = BODY_MAX - 1;
	assert_int_equal(body_take(&b, "1\r\na\r\n", 6, &used, &content), 0);
	assert_int_equal(body_take(&b, "\r\n1\r\n", 5, &used, &content), 413);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
