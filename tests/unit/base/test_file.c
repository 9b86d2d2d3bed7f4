// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

static void write_file(char *path, size_t len)
{
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
}

static void test_reads_all(void **state)
{
	static const size_t sizes[] = {0, 1, 4095, 65535, 65536, 65537};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char path[] = "/tmp/file-XXXXXX";
		_cleanup_free_ void *text = NULL;
		size_t len = 99;

		write_file(path, sizes[i]);
		assert_int_equal(file_read(path, 1 << 20, &text, &len, NULL), 0);
		unlink(path);
		assert_int_equal(len, sizes[i]);
		assert_int_equal(strlen(text), len);
	}
}

static void test_limit(void **state)
{
	char path[] = "/tmp/file-XXXXXX";
	_cleanup_free_ void *text = NULL;
	struct error e;
	size_t len;

	(void)state;
	write_file(path, 1001);
	assert_int_equal(file_read(path, 1000, &text, &len, &e), -EFBIG);
	assert_non_null(strstr(e.text, path));
	assert_null(text);
	assert_int_equal(file_read(path, 1001, &text, &len, &e), 0);
	unlink(path);
	free(TAKE_PTR(text));
	assert_int_equal(file_read("/dev/zero", 1000, &text, &len, &e), -EFBIG);
}

static void test_what_has_no_size(void **state)
{
	_cleanup_free_ void *text = NULL;
	size_t len;

	(void)state;
	assert_int_equal(file_read("/proc/self/status", 1 << 20, &text, &len, NULL), 0);
	assert_non_null(strstr(text, "Name:"));
}

static void test_again_into_the_same_memory(void **state)
{
	char path[] = "/tmp/file-XXXXXX", shorter[] = "/tmp/file-XXXXXX";
	_cleanup_buf_ struct buf b = {0};
	size_t cap;

	(void)state;
	write_file(path, 5000);
	write_file(shorter, 3);
	assert_int_equal(file_read_into(path, 5000, &b, NULL), 0);
	assert_int_equal(b.len, 5000);
	cap = b.cap;
	assert_int_equal(file_read_into(shorter, 5000, &b, NULL), 0);
	assert_string_equal(b.data, "xxx");
	assert_int_equal(b.len, 3);
	assert_int_equal(b.cap, cap);
	assert_int_equal(file_read_into(path, 4999, &b, NULL), -EFBIG);
	unlink(path);
	assert_int_equal(file_read_into(path, 5000, &b, NULL), -ENOENT);
	assert_int_equal(file_read_into(shorter, 5000, &b, NULL), 0);
	unlink(shorter);
}

static void test_cannot_be_read(void **state)
{
	_cleanup_free_ void *text = NULL;
	struct error e;
	size_t len;

	(void)state;
	assert_int_equal(file_read("/tmp", 1000, &text, &len, &e), -EISDIR);
	assert_int_equal(file_read("/nonexistent/x", 1000, &text, &len, &e), -ENOENT);
	assert_string_equal(e.text, "cannot open '/nonexistent/x': No such file or directory");
}

static void test_short(void **state)
{
	char text[4];

	(void)state;
	assert_int_equal(file_read_short("/proc/self/comm", text, sizeof(text)), 3);
	assert_string_equal(text, "bas"); /* base-test_file */
	assert_int_equal(file_read_short("/dev/null", text, sizeof(text)), 0);
	assert_string_equal(text, "");
	assert_int_equal(file_read_short("/tmp", text, sizeof(text)), -EISDIR);
	assert_int_equal(file_read_short("/nonexistent/x", text, sizeof(text)), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_all),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_what_has_no_size),
		cmocka_unit_test(test_again_into_the_same_memory),
		cmocka_unit_test(test_cannot_be_read),
		cmocka_unit_test(test_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
