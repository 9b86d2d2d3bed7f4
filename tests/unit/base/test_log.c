// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macro.h"

/* What @write_log puts on stderr, which it gets as a pipe meanwhile. */
static void capture(void (*write_log)(void), char *text, size_t size)
{
	int kept = dup(STDERR_FILENO), ends[2];
	ssize_t n;

	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	write_log();
	dup2(kept, STDERR_FILENO);
	close(kept);
	n = read(ends[0], text, size - 1);
	close(ends[0]);
	assert_true(n >= 0);
	text[n] = '\0';
}

static void log_each_level(void)
{
	log_error("e %d", 1);
	log_warn("w");
	log_info("i");
	log_debug("d");
}

static void test_levels(void **state)
{
	static const char *const expected[] = {
		[LOG_LEVEL_ERROR] = "error e 1\n",
		[LOG_LEVEL_WARN] = "error e 1\nwarn  w\n",
		[LOG_LEVEL_INFO] = "error e 1\nwarn  w\ninfo  i\n",
		[LOG_LEVEL_DEBUG] = "error e 1\nwarn  w\ninfo  i\ndebug d\n",
	};
	char text[1024];

	(void)state;
	for (unsigned level = 0; level < ARRAY_SIZE(expected); level++) {
		log_setup((struct log_settings){.level = level, .no_timestamps = true});
		capture(log_each_level, text, sizeof(text));
		assert_string_equal(text, expected[level]);
		assert_int_equal(log_enabled(LOG_LEVEL_DEBUG), level == LOG_LEVEL_DEBUG);
	}
}

static void log_one(void)
{
	log_info("interface \"eth0\" is back\n");
}

static void test_text_with_time(void **state)
{
	char text[1024];
	int year, end = 0;

	(void)state;
	log_setup((struct log_settings){.level = LOG_LEVEL_INFO});
	capture(log_one, text, sizeof(text));
	assert_int_equal(sscanf(text, "%4d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3dZ info  %n", &year, &end),
			 1);
	assert_true(year >= 2024);
	assert_string_equal(text + end,
			    "interface \"eth0\" is back\n"); /* its newline is the line's */
}

static void test_json(void **state)
{
	char text[1024];
	json_t *line;

	(void)state;
	log_setup((struct log_settings){.level = LOG_LEVEL_INFO, .json = true});
	capture(log_one, text, sizeof(text));
	line = json_loads(text, 0, NULL);
	assert_non_null(line);
	assert_string_equal(json_string_value(json_object_get(line, "level")), "info");
	assert_string_equal(json_string_value(json_object_get(line, "message")),
			    "interface \"eth0\" is back");
	assert_int_equal(strlen(json_string_value(json_object_get(line, "time"))),
			 strlen("2026-01-31T12:00:00.000Z"));
	json_decref(line);
	log_setup((
		struct log_settings){.level = LOG_LEVEL_INFO, .json = true, .no_timestamps = true});
	capture(log_one, text, sizeof(text));
	assert_string_equal(
		text, "{\"level\":\"info\",\"message\":\"interface \\\"eth0\\\" is back\"}\n");
}

static void log_long(void)
{
	log_info("%*d", 20000, 1);
}

static void test_long_line_is_cut_and_stays_one(void **state)
{
	char text[32768];

	(void)state;
	log_setup((struct log_settings){.level = LOG_LEVEL_INFO, .no_timestamps = true});
	capture(log_long, text, sizeof(text));
	assert_true(strlen(text) > 4000);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void test_level_names(void **state)
{
	enum log_level level = LOG_LEVEL_WARN;

	(void)state;
	assert_int_equal(log_level_parse("debug", &level), 0);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_parse("error", &level), 0);
	assert_int_equal(level, LOG_LEVEL_ERROR);
	assert_int_equal(log_level_parse("loud", &level), -EINVAL);
	assert_int_equal(log_level_parse("", &level), -EINVAL);
	assert_int_equal(level, LOG_LEVEL_ERROR);
}

static void test_due_once_a_minute(void **state)
{
	uint64_t last = 0;

	(void)state;
	assert_true(log_due(&last));
	assert_false(log_due(&last));
	last -= 59 * NSEC_PER_SEC;
	assert_false(log_due(&last));
	last -= 2 * NSEC_PER_SEC;
	assert_true(log_due(&last));
	assert_false(log_due(&last));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_text_with_time),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_long_line_is_cut_and_stays_one),
		cmocka_unit_test(test_level_names),
		cmocka_unit_test(test_due_once_a_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
