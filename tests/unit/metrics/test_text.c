// SPDX-License-Identifier: MIT
/* The text format, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "families.h"

static void assert_renders(struct test_family *families, size_t count, const char *expected)
{
	_cleanup_buf_ struct buf out = {0};

	render_all(&exposition_text, families, count, &out);
	assert_string_equal(buf_str(&out), expected);
	for (size_t i = 0; i < count; i++)
		family_close(&families[i]);
}

static void test_nothing(void **state)
{
	(void)state;
	assert_renders(NULL, 0, "");
}

static void test_values(void **state)
{
	struct test_family families[3];

	(void)state;
	family_open(&families[0], "a_total", "two\nlines \\ \"quoted\"", METRIC_COUNTER, one_uint);
	family_open(&families[1], "b", "of b", METRIC_GAUGE, hostile_samples);
	family_open(&families[2], "silent", "h", METRIC_COUNTER, no_samples);
	assert_renders(families, 3,
		       "# HELP a_total two\\nlines \\\\ \"quoted\"\n"
		       "# TYPE a_total counter\n"
		       "a_total 1\n"
		       "# HELP b of b\n"
		       "# TYPE b gauge\n"
		       "b{a=\"x\\\"y\\\\z\\n\xef\xbf\xbd\xef\xbf\xbd,}\",b=\"\"} "
		       "18446744073709551615\n"
		       "b{a=\"x\\\"y\\\\z\\n\xef\xbf\xbd\xef\xbf\xbd,}\",b=\"\"} -Inf\n");
}

static void test_histogram(void **state)
{
	struct bucket_config plain = {.type = BUCKET_EXP2, .min = 0, .max = 2};
	struct bucket_config scaled = {.type = BUCKET_EXP2, .min = 0, .max = 2, .multiplier = 0.5};
	struct test_family f;

	(void)state;
	histogram_open(&f, "h", &plain, some_histograms);
	assert_renders(&f, 1,
		       "# HELP h help\n# TYPE h histogram\n"
		       "h_bucket{k=\"v\",le=\"1\"} 3\n"
		       "h_bucket{k=\"v\",le=\"2\"} 3\n"
		       "h_bucket{k=\"v\",le=\"4\"} 7\n"
		       "h_bucket{k=\"v\",le=\"+Inf\"} 7\n"
		       "h_sum{k=\"v\"} 12\n"
		       "h_count{k=\"v\"} 7\n"
		       "h_bucket{le=\"1\"} 1\n"
		       "h_bucket{le=\"2\"} 18446744073709551615\n"
		       "h_bucket{le=\"4\"} 18446744073709551615\n"
		       "h_bucket{le=\"+Inf\"} 18446744073709551615\n"
		       "h_sum 12\n"
		       "h_count 18446744073709551615\n");
	histogram_open(&f, "h", &scaled, some_histograms);
	assert_renders(&f, 1,
		       "# HELP h help\n# TYPE h histogram\n"
		       "h_bucket{k=\"v\",le=\"0.5\"} 3\n"
		       "h_bucket{k=\"v\",le=\"1\"} 3\n"
		       "h_bucket{k=\"v\",le=\"2\"} 7\n"
		       "h_bucket{k=\"v\",le=\"+Inf\"} 7\n"
		       "h_sum{k=\"v\"} 6\n"
		       "h_count{k=\"v\"} 7\n"
		       "h_bucket{le=\"0.5\"} 1\n"
		       "h_bucket{le=\"1\"} 18446744073709551615\n"
		       "h_bucket{le=\"2\"} 18446744073709551615\n"
		       "h_bucket{le=\"+Inf\"} 18446744073709551615\n"
		       "h_sum 6\n"
		       "h_count 18446744073709551615\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_histogram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
