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

#include "config/daemon.h"

DEFINE_CLEANUP(struct daemon_config *, daemon_config_free)

static int parse(const char *text, struct report *r, struct daemon_config **ret)
{
	char path[] = "/tmp/daemon-XXXXXX";
	int fd = mkstemp(path), err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	err = daemon_config_parse_file(path, r, ret);
	unlink(path);
	return err;
}

static void expect_setting(const struct setting *s, const char *module, const char *name,
			   const char *values)
{
	_cleanup_strv_ struct strv expected = {0};

	assert_string_equal(s->module, module);
	assert_string_equal(s->name, name);
	strv_add_split(&expected, values, '|');
	assert_int_equal(s->values.count, expected.count);
	for (size_t i = 0; i < expected.count; i++)
		assert_string_equal(s->values.items[i], expected.items[i]);
}

static void test_settings(void **state)
{
	_cleanup_(daemon_config_free_p) struct daemon_config *d = NULL;
	_cleanup_report_ struct report r = {0};

	(void)state;
	assert_int_equal(parse("modules:\n"
			       "  packets:\n"
			       "    sizes: false\n"
			       "  drops: {enabled: off}\n"
			       "  flows:\n"
			       "  tc:\n"
			       "    interfaces: [\"eth*\", \"!eth9\"]\n"
			       "    none: []\n"
			       "    limit: 0x10\n",
			       &r, &d),
			 0);
	assert_int_equal(r.text.len, 0);
	assert_int_equal(d->settings.count, 5);
	expect_setting(&d->settings.items[0], "packets", "sizes", "false");
	expect_setting(&d->settings.items[1], "drops", "enabled", "off");
	expect_setting(&d->settings.items[2], "tc", "interfaces", "eth*|!eth9");
	expect_setting(&d->settings.items[3], "tc", "none", "");
	expect_setting(&d->settings.items[4], "tc", "limit", "0x10");
	assert_int_equal(d->settings.items[2].place.line, 7);
	assert_int_equal(d->settings.items[2].place.column, 5);
}

static void test_web_api(void **state)
{
	_cleanup_(daemon_config_free_p) struct daemon_config *with = NULL, *without = NULL;
	_cleanup_report_ struct report r = {0};

	(void)state;
	assert_int_equal(parse("web: {api: true}\n", &r, &with), 0);
	assert_true(with->web.api);
	assert_int_equal(parse("web:\naliases: true\n", &r, &without), 0);
	assert_false(without->web.api);
}

static void test_empty_sets_nothing(void **state)
{
	static const char *const texts[] = {"", "# nothing\n", "modules:\n", "modules: {}\n",
					    "{}\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(daemon_config_free_p) struct daemon_config *d = NULL;
		_cleanup_report_ struct report r = {0};

		assert_int_equal(parse(texts[i], &r, &d), 0);
		assert_int_equal(d->settings.count, 0);
		assert_int_equal(r.text.len, 0);
	}
}

static void expect_error(const char *text, const char *message)
{
	_cleanup_report_ struct report r = {0};
	struct daemon_config *d = NULL;

	assert_int_equal(parse(text, &r, &d), -EINVAL);
	assert_null(d);
	if (!strstr(buf_str(&r.text), message))
		fail_msg("'%s' is not in:\n%s", message, buf_str(&r.text));
}

static void test_errors(void **state)
{
	(void)state;
	expect_error(
		"module: {}\n",
		":1:1: error: unknown key 'module' in the daemon file, did you mean 'modules'?");
	expect_error("modules: [packets]\n",
		     ":1:10: error: 'modules': expected a mapping, found a list");
	expect_error("modules:\n  drops: false\n",
		     ":2:10: error: module 'drops': expected a mapping of options");
	expect_error("modules:\n  tc: {a: {b: c}}\n", ":2:11: error: option 'a': expected a value");
	expect_error("modules:\n  tc: {a: [[b]]}\n", ":2:12: error: 'a': expected a string");
	expect_error("modules:\n  tc: {a: 1, a: 2}\n", ":2:14: error: option 'a' a second time");
	expect_error("modules:\n  tc: {}\n  tc: {}\n", ":3:3: error: key 'tc' a second time");
	expect_error("modules:\n  [a]: {}\n",
		     ":2:3: error: 'modules': expected a name, found a list");
	expect_error("modules:\n  a: {[b]: c}\n", ":2:7: error: expected the name of an option");
	expect_error("modules:\n\ttc: {}\n", "indent with blanks");
	expect_error("web: {apy: true}\n",
		     ":1:7: error: unknown key 'apy' in web, did you mean 'api'?");
	expect_error("web: {api: maybe}\n", "'api': expected true or false, found 'maybe'");
	expect_error("- a\n", "the daemon file is a mapping");
	expect_error("modules: {a: {b: \"x\\0y\"}}\n", "a NUL byte");
}

static void test_file_that_is_not_there(void **state)
{
	_cleanup_report_ struct report r = {0};
	struct daemon_config *d = NULL;

	(void)state;
	assert_int_equal(daemon_config_parse_file("/nonexistent/w.yaml", &r, &d), -EINVAL);
	assert_string_equal(buf_str(&r.text), "/nonexistent/w.yaml: error: cannot read the file: "
					      "No such file or directory\n");
	daemon_config_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_web_api),
		cmocka_unit_test(test_empty_sets_nothing),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_file_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
