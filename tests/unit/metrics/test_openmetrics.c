// SPDX-License-Identifier: MIT
/* OpenMetrics, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "families.h"

static void assert_renders(struct test_family *families, size_t count, const char *expected)
{
	_cleanup_buf_ struct buf out = {0};

	render_all(&exposition_openmetrics, families, count, &out);
	assert_string_equal(buf_str(&out), expected);
	for (size_t i = 0; i < count; i++)
		family_close(&families[i]);
}

static void test_nothing(void **state)
{
	(void)state;
	assert_renders(NULL, 0, "# EOF\n");
}

static void test_names_of_counters(void **state)
{
	struct test_family families[5];

	(void)state;
	family_open(&families[0], "_total", "", METRIC_COUNTER, one_uint);
	family_open(&families[1], "a_bytes_total", "h", METRIC_COUNTER, one_uint);
	family_open(&families[2], "runs", "h", METRIC_COUNTER, one_uint);
	family_open(&families[3], "silent_total", "h", METRIC_COUNTER, no_samples);
	family_open(&families[4], "sum_total", "h", METRIC_GAUGE, one_uint);
	assert_renders(families, 5,
		       "# HELP _total \n# TYPE _total unknown\n"
		       "_total 1\n"
		       "# HELP a_bytes h\n# TYPE a_bytes counter\n# UNIT a_bytes bytes\n"
		       "a_bytes_total 1\n"
		       "# HELP runs h\n# TYPE runs unknown\n"
		       "runs 1\n"
		       "# HELP sum_total h\n# TYPE sum_total gauge\n"
		       "sum_total 1\n"
		       "# EOF\n");
}

/* Without _total they would be one family. */
static void test_names_that_differ_in_total_only(void **state)
{
	struct test_family families[4];

	(void)state;
	family_open(&families[0], "x", "h", METRIC_GAUGE, one_uint);
	family_open(&families[1], "x_more_total", "h", METRIC_COUNTER, one_uint);
	family_open(&families[2], "x_total", "h", METRIC_COUNTER, one_uint);
	family_open(&families[3], "xy_total", "h", METRIC_COUNTER, one_uint);
	assert_renders(families, 4,
		       "# HELP x h\n# TYPE x gauge\nx 1\n"
		       "# HELP x_more h\n# TYPE x_more counter\nx_more_total 1\n"
		       "# HELP x_total h\n# TYPE x_total unknown\nx_total 1\n"
		       "# HELP xy h\n# TYPE xy counter\nxy_total 1\n"
		       "# EOF\n");
}

static void test_units(void **state)
{
	struct test_family families[5];

	(void)state;
	family_open(&families[0], "_seconds", "h", METRIC_GAUGE, one_uint);
	family_open(&families[1], "milliseconds", "h", METRIC_GAUGE, one_uint);
	family_open(&families[2], "ratio", "h", METRIC_GAUGE, one_uint);
	family_open(&families[3], "use_ratio", "h", METRIC_GAUGE, one_uint);
	family_open(&families[4], "wait_seconds_max", "h", METRIC_GAUGE, one_uint);
	assert_renders(families, 5,
		       "# HELP _seconds h\n# TYPE _seconds gauge\n_seconds 1\n"
		       "# HELP milliseconds h\n# TYPE milliseconds gauge\nmilliseconds 1\n"
		       "# HELP ratio h\n# TYPE ratio gauge\nratio 1\n"
		       "# HELP use_ratio h\n# TYPE use_ratio gauge\n# UNIT use_ratio ratio\n"
		       "use_ratio 1\n"
		       "# HELP wait_seconds_max h\n# TYPE wait_seconds_max gauge\n"
		       "wait_seconds_max 1\n"
		       "# EOF\n");
}

static void test_escapes(void **state)
{
	struct test_family f;

	(void)state;
	family_open(&f, "m", "two\nlines \\ \"quoted\"", METRIC_GAUGE, hostile_samples);
	assert_renders(&f, 1,
		       "# HELP m two\\nlines \\\\ \\\"quoted\\\"\n# TYPE m gauge\n"
		       "m{a=\"x\\\"y\\\\z\\n\xef\xbf\xbd\xef\xbf\xbd,}\",b=\"\"} "
		       "18446744073709551615\n"
		       "m{a=\"x\\\"y\\\\z\\n\xef\xbf\xbd\xef\xbf\xbd,}\",b=\"\"} -Inf\n"
		       "# EOF\n");
}

static void test_histogram(void **state)
{
	struct bucket_config config = {.type = BUCKET_EXP2, .min = 0, .max = 2, .multiplier = 0.5};
	struct test_family f;

	(void)state;
	histogram_open(&f, "h_seconds", &config, some_histograms);
	assert_renders(&f, 1,
		       "# HELP h_seconds help\n# TYPE h_seconds histogram\n"
		       "# UNIT h_seconds seconds\n"
		       "h_seconds_bucket{k=\"v\",le=\"0.5\"} 3\n"
		       "h_seconds_bucket{k=\"v\",le=\"1.0\"} 3\n"
		       "h_seconds_bucket{k=\"v\",le=\"2.0\"} 7\n"
		       "h_seconds_bucket{k=\"v\",le=\"+Inf\"} 7\n"
		       "h_seconds_sum{k=\"v\"} 6\n"
		       "h_seconds_count{k=\"v\"} 7\n"
		       "h_seconds_bucket{le=\"0.5\"} 1\n"
		       "h_seconds_bucket{le=\"1.0\"} 18446744073709551615\n"
		       "h_seconds_bucket{le=\"2.0\"} 18446744073709551615\n"
		       "h_seconds_bucket{le=\"+Inf\"} 18446744073709551615\n"
		       "h_seconds_sum 6\n"
		       "h_seconds_count 18446744073709551615\n"
		       "# EOF\n");
}

/* The spelling that OpenMetrics 1.0.0 asks for, in "Considerations: Canonical Numbers". */
static void test_bounds_are_canonical(void **state)
{
	static const char *const expected[] = {"0.0",    "1e-05", "0.0001", "0.001",
					       "1000.0", "1e+06", "1e+10"};
	static const double multipliers[] = {1, 1e-5, 1e-4, 1e-3, 1e3, 1e6, 1e10};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		struct bucket_config c = {.type = BUCKET_LINEAR, .multiplier = multipliers[i]};
		struct test_family f;
		_cleanup_buf_ struct buf out = {0};
		char le[40];

		c.min = c.max = i == 0 ? 0 : 1;
		histogram_open(&f, "h", &c, some_histograms);
		render_all(&exposition_openmetrics, &f, 1, &out);
		snprintf(le, sizeof(le), "h_bucket{le=\"%s\"} 1\n", expected[i]);
		assert_non_null(strstr(buf_str(&out), le));
		family_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_names_of_counters),
		cmocka_unit_test(test_names_that_differ_in_total_only),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_bounds_are_canonical),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
