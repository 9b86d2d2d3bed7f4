// SPDX-License-Identifier: MIT
/* The evidence: whole lines, bounded, the last ones told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A module exports nothing to test it by. NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "guard_log.c"

struct place {
	char folder[32];
	char path[64];
	struct guard_log log;
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	strcpy(p->folder, "/tmp/guard-log-XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->path, sizeof(p->path), "%s/deeper/guard.log", p->folder);
	assert_int_equal(guard_log_open(&p->log, p->path, 4096), 0);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	char command[64];

	guard_log_close(&p->log);
	snprintf(command, sizeof(command), "rm -r %s", p->folder);
	assert_int_equal(system(command), 0);
	free(p);
	return 0;
}

static const char *member(const json_t *entries, size_t index, const char *name)
{
	return json_string_value(json_object_get(json_array_get(entries, index), name));
}

static void test_entries(void **state)
{
	struct place *p = *state;
	json_t *entries = guard_log_read(&p->log, 10);

	assert_int_equal(json_array_size(entries), 0);
	json_decref(entries);
	guard_log_write(&p->log, "ban", "192.0.2.7", "guard", "%d SYNs a second", 900);
	guard_log_write(&p->log, "block", "10.0.0.0/8", "uid 0", "he said \"now\"\n");
	entries = guard_log_read(&p->log, 10);
	assert_int_equal(json_array_size(entries), 2);
	assert_string_equal(member(entries, 0, "action"), "ban");
	assert_string_equal(member(entries, 0, "subject"), "192.0.2.7");
	assert_string_equal(member(entries, 0, "why"), "900 SYNs a second");
	assert_string_equal(member(entries, 1, "why"), "he said \"now\"\n");
	assert_int_equal(strlen(member(entries, 1, "time")), strlen("2026-01-01T00:00:00Z"));
	json_decref(entries);
	entries = guard_log_read(&p->log, 1);
	assert_int_equal(json_array_size(entries), 1);
	assert_string_equal(member(entries, 0, "action"), "block");
	json_decref(entries);
}

/* Two files of the size, whatever is written; read as one. */
static void test_it_is_bounded(void **state)
{
	struct place *p = *state;
	char former[80], number[16];
	json_t *entries;
	struct stat st;

	for (int i = 0; i < 500; i++) {
		snprintf(number, sizeof(number), "%d", i);
		guard_log_write(&p->log, "ban", number, "guard", "why");
	}
	snprintf(former, sizeof(former), "%s.1", p->path);
	assert_int_equal(stat(p->path, &st), 0);
	assert_true(st.st_size < 4096 + 256);
	assert_int_equal(stat(former, &st), 0);
	assert_true(st.st_size < 4096 + 256);
	entries = guard_log_read(&p->log, 40);
	assert_int_equal(json_array_size(entries), 40);
	for (size_t i = 0; i < 40; i++) {
		snprintf(number, sizeof(number), "%zu", 460 + i);
		assert_string_equal(member(entries, i, "subject"), number);
	}
	json_decref(entries);
}

/* Half a line, of a full disk or a power cut, is no entry and hides none. */
static void test_what_is_no_entry_is_left_out(void **state)
{
	struct place *p = *state;
	json_t *entries;
	FILE *file;

	guard_log_write(&p->log, "one", "x", "guard", "y");
	file = fopen(p->path, "ae");
	assert_non_null(file);
	fputs("{\"action\":\"ha\n\nnonsense\n", file);
	fclose(file);
	guard_log_write(&p->log, "two", "x", "guard", "y");
	entries = guard_log_read(&p->log, 10);
	assert_int_equal(json_array_size(entries), 2);
	assert_string_equal(member(entries, 1, "action"), "two");
	json_decref(entries);
}

static void test_a_place_that_cannot_be_written(void **state)
{
	struct guard_log log = {0};
	json_t *entries;

	(void)state;
	assert_int_equal(guard_log_open(&log, "/proc/nowhere/guard.log", 4096), 0);
	guard_log_write(&log, "ban", "x", "guard", "it goes on");
	entries = guard_log_read(&log, 10);
	assert_int_equal(json_array_size(entries), 0);
	json_decref(entries);
	guard_log_close(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_entries, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_it_is_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_no_entry_is_left_out, set_up,
						tear_down),
		cmocka_unit_test(test_a_place_that_cannot_be_written),
	};

	log_setup((struct log_settings){.level = LOG_LEVEL_ERROR});
	return cmocka_run_group_tests(tests, NULL, NULL);
}
