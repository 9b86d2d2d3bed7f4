// SPDX-License-Identifier: MIT
/*
 * Each tests/golden/config/NAME.yaml is a broken config, NAME.expected what is told about it, to
 * the letter; those in valid/ must parse with nothing to tell. "lenient" in the name is
 * --config.lenient.
 * GOLDEN_UPDATE=1 in the environment writes the .expected files anew: read the difference.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "config/config.h"
#include "config/web.h"

enum {
	LARGEST = 1 << 20,
	LEAST_BROKEN = 30,
	LEAST_VALID = 5,
	LEAST_BROKEN_WEB = 10,
	LEAST_VALID_WEB = 2
};

static const char *base_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

/* Parsed under its bare name, so that what is told does not depend on where the tree is. */
static int parse(const char *path, struct report *r)
{
	struct source s = {.name = strdup(base_name(path))};
	struct web_config *web = NULL;
	struct config *c = NULL;
	void *text = NULL;
	int err;

	assert_int_equal(file_read(path, LARGEST, &text, &s.len, NULL), 0);
	s.text = text;
	r->lenient = strstr(path, "lenient") != NULL;
	if (strstr(path, "/golden/web/")) {
		err = web_config_parse(s, r, &web);
		web_config_free(web);
	} else {
		err = config_parse("golden", s, r, &c);
		config_free(c);
	}
	return err;
}

static void update(const char *path, struct report *r)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(r->text.data, 1, r->text.len, f), r->text.len);
	assert_int_equal(fclose(f), 0);
}

static void compare(const char *path, struct report *r)
{
	_cleanup_free_ void *expected = NULL;
	size_t len = 0;
	struct error e;

	if (file_read(path, LARGEST, &expected, &len, &e))
		fail_msg("%s; GOLDEN_UPDATE=1 writes it", e.text);
	if (!STREQ(buf_str(&r->text), (const char *)expected))
		fail_msg("%s expects:\n%sbut this was told:\n%s", path, (const char *)expected,
			 buf_str(&r->text));
}

static void check_broken(const char *path)
{
	_cleanup_report_ struct report r = {0};
	_cleanup_buf_ struct buf expected = {0};
	int err = parse(path, &r);

	assert_int_equal(err == 0, r.errors == 0);
	assert_true(r.errors + r.warnings > 0);
	buf_printf(&expected, "%.*s.expected", (int)(strlen(path) - strlen(".yaml")), path);
	if (getenv("GOLDEN_UPDATE"))
		update(buf_str(&expected), &r);
	else
		compare(buf_str(&expected), &r);
}

static void check_valid(const char *path)
{
	_cleanup_report_ struct report r = {0};
	int err = parse(path, &r);

	if (err || r.text.len)
		fail_msg("%s must be valid, but this was told:\n%s", path, buf_str(&r.text));
}

static void for_each(const char *pattern, size_t least, void (*check)(const char *path))
{
	const char *root = getenv("SOURCE_ROOT");
	_cleanup_buf_ struct buf full = {0};
	glob_t found;

	buf_printf(&full, "%s/%s", root ? root : ".", pattern);
	assert_int_equal(glob(buf_str(&full), 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= least);
	for (size_t i = 0; i < found.gl_pathc; i++)
		check(found.gl_pathv[i]);
	globfree(&found);
}

static void test_broken(void **state)
{
	(void)state;
	for_each("tests/golden/config/*.yaml", LEAST_BROKEN, check_broken);
	for_each("tests/golden/web/*.yaml", LEAST_BROKEN_WEB, check_broken);
}

static void test_valid(void **state)
{
	(void)state;
	for_each("tests/golden/config/valid/*.yaml", LEAST_VALID, check_valid);
	for_each("tests/golden/web/valid/*.yaml", LEAST_VALID_WEB, check_valid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_valid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
