// SPDX-License-Identifier: MIT
#include "kernel/perf_event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/macro.h"

static void test_events(void **state)
{
	static const struct {
		const char *text;
		uint32_t type;
		uint64_t config;
		bool freq;
		uint64_t sample;
	} rows[] = {
		{"type=0,config=0,frequency=99", PERF_TYPE_HARDWARE, 0, true, 99},
		{"type=1,config=0,frequency=1", PERF_TYPE_SOFTWARE, 0, true, 1},
		{"type=1,config=0x2,sample_period=0x10", PERF_TYPE_SOFTWARE, 2, false, 16},
		{"frequency=7,config=5,type=1", PERF_TYPE_SOFTWARE, 5, true, 7},
		{" type=1 , config=0 , frequency=3 ", PERF_TYPE_SOFTWARE, 0, true, 3},
		{"type=hardware,config=instructions,frequency=9", PERF_TYPE_HARDWARE,
		 PERF_COUNT_HW_INSTRUCTIONS, true, 9},
		{"type=software,config=page-faults,sample_period=1", PERF_TYPE_SOFTWARE,
		 PERF_COUNT_SW_PAGE_FAULTS, false, 1},
		{"type=raw,config=0xffffffffffffffff,frequency=1", PERF_TYPE_RAW, UINT64_MAX, true,
		 1},
		{"type=4294967295,config=1,frequency=1", UINT32_MAX, 1, true, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct perf_event_attr attr;
		struct error e;

		if (perf_event_parse(rows[i].text, &attr, &e))
			fail_msg("%s: %s", rows[i].text, e.text);
		assert_int_equal(attr.type, rows[i].type);
		assert_int_equal(attr.config, rows[i].config);
		assert_int_equal(attr.freq, rows[i].freq);
		assert_int_equal(attr.sample_period, rows[i].sample);
		assert_int_equal(attr.size, sizeof(attr));
		assert_true(attr.disabled);
	}
}

static void test_no_events(void **state)
{
	static const struct {
		const char *text;
		const char *sentence;
	} rows[] = {
		{"", "type= and config= are needed"},
		{"type=1,frequency=9", "type= and config= are needed"},
		{"type=1,config=0", "either frequency="},
		{"type=1,config=0,frequency=9,sample_period=9", "either frequency="},
		{"type=1,config=0,frequency=0", "'0' is not a number over 0"},
		{"type=1,config=0,frequency=-1", "'-1' is not a number over 0"},
		{"type=1,config=0,frequency=9x", "'9x' is not a number over 0"},
		{"type=4294967296,config=0,frequency=9", "type=4294967296 is neither"},
		{"type=1,config=18446744073709551616,frequency=9", "config=18446744073709551616"},
		{"type=hardware,config=page-faults,frequency=9", "config=page-faults is neither"},
		{"type=,config=0,frequency=9", "type= is neither"},
		{"type", "'type' is none of"},
		{"types=1,config=0,frequency=9", "'types=1' is none of"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct perf_event_attr attr;
		struct error e;

		assert_true(perf_event_parse(rows[i].text, &attr, &e) < 0);
		assert_int_equal(e.exit, EXIT_USAGE);
		if (!strstr(e.text, rows[i].sentence))
			fail_msg("%s: '%s' is not in '%s'", rows[i].text, rows[i].sentence, e.text);
	}
}

/* As many as the C library counts, each after the one before. */
static void test_cpus(void **state)
{
	long count = 0;
	int cpu = -1;

	(void)state;
	for (int next = 0; (next = perf_event_next_cpu(next)) >= 0; next++) {
		assert_true(next > cpu);
		cpu = next;
		count++;
	}
	assert_int_equal(count, sysconf(_SC_NPROCESSORS_ONLN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_no_events),
		cmocka_unit_test(test_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
