// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/error.h"

static void test_exit_follows_from_the_code(void **state)
{
	static const struct {
		int code;
		enum exit_code exit;
	} rows[] = {
		{-EPERM, EXIT_DENIED},
		{-EACCES, EXIT_DENIED},
		{-EOPNOTSUPP, EXIT_HOST_LACKS},
		{-ENOSYS, EXIT_HOST_LACKS},
		{-EPROTONOSUPPORT, EXIT_HOST_LACKS},
		{-ENOENT, EXIT_FAILED},
		{-ENOMEM, EXIT_FAILED},
	};
	struct error e;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(error_set(&e, rows[i].code, "x"), rows[i].code);
		assert_int_equal(e.code, rows[i].code);
		assert_int_equal(e.exit, rows[i].exit);
	}
}

static void test_kinds(void **state)
{
	struct error e;

	(void)state;
	assert_int_equal(error_set_usage(&e, "no module '%s'", "x"), -EINVAL);
	assert_int_equal(e.exit, EXIT_USAGE);
	assert_string_equal(e.text, "no module 'x'");
	assert_int_equal(error_set_lacks(&e, -ENOENT, "no BTF"), -ENOENT);
	assert_int_equal(e.exit, EXIT_HOST_LACKS);
}

static void test_nobody_listens(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, -EIO, "x"), -EIO);
	assert_int_equal(error_set_usage(NULL, "x"), -EINVAL);
	assert_int_equal(error_set_lacks(NULL, -EIO, "x"), -EIO);
	assert_true(error_prefix(NULL, "x") < 0);
}

static void test_prefix(void **state)
{
	struct error e;

	(void)state;
	error_set(&e, -ENOENT, "cannot open it");
	assert_int_equal(error_prefix(&e, "module %s", "packets"), -ENOENT);
	assert_string_equal(e.text, "module packets: cannot open it");
}

static void test_wrapped_in_its_own_text(void **state)
{
	struct error e;

	(void)state;
	error_set(&e, -ENOENT, "inner");
	error_set(&e, -EIO, "outer (%s)", e.text);
	assert_string_equal(e.text, "outer (inner)");
	assert_int_equal(e.code, -EIO);
}

static void test_too_long_is_cut(void **state)
{
	char text[2 * sizeof(((struct error *)0)->text)];
	struct error e;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	error_set(&e, -EIO, "%s", text);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	error_prefix(&e, "%s", text);
	assert_true(strlen(e.text) < sizeof(e.text));
	assert_int_equal(e.text[0], 'x');
}

static void words_say_what_to_do(void **state)
{
	(void)state;
	assert_string_equal(error_words(-EMFILE),
			    "too many open files; raise the limit (LimitNOFILE=, ulimit -n)");
	assert_string_equal(error_words(-ENOENT), strerror(ENOENT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_say_what_to_do),
		cmocka_unit_test(test_exit_follows_from_the_code),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_wrapped_in_its_own_text),
		cmocka_unit_test(test_too_long_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
