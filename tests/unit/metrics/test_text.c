// SPDX-License-Identifier: MIT
/* The text format, byte by byte. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "metrics/exposition.h"

static void two_samples(const struct family *f, const struct exposition *x, struct buf *out)
{
	_cleanup_buf_ struct buf labels = {0};

	x->add_uint(out, f, (struct label_text){0}, 1);
	label_text_add(&labels, "a", "x\"y\\z\n\xff", 7);
	label_text_add_str(&labels, "b", "");
	x->add_uint(out, f, (struct label_text){labels.data, labels.len}, UINT64_MAX);
	x->add_double(out, f, (struct label_text){labels.data, labels.len}, NAN);
}

static void test_counter(void **state)
{
	struct family f;
	const struct family *families[] = {&f};
	_cleanup_buf_ struct buf out = {0};

	(void)state;
	assert_int_equal(family_init(&f, "pre", "m_total", "two\nlines \\ \"quoted\"",
				     METRIC_COUNTER),
			 0);
	f.samples = two_samples;
	exposition_render(&exposition_text, families, 1, &out);
	assert_string_equal(
		buf_str(&out),
		"# HELP pre_m_total two\\nlines \\\\ \"quoted\"\n"
		"# TYPE pre_m_total counter\n"
		"pre_m_total 1\n"
		"pre_m_total{a=\"x\\\"y\\\\z\\n\xef\xbf\xbd\",b=\"\"} 18446744073709551615\n"
		"pre_m_total{a=\"x\\\"y\\\\z\\n\xef\xbf\xbd\",b=\"\"} NaN\n");
	family_free(&f);
}

static void one_histogram(const struct family *f, const struct exposition *x, struct buf *out)
{
	static const uint64_t counts[] = {3, 0, 4};
	struct label_text labels = {"k=\"v\"", 5};

	x->add_histogram(out, f, labels, (struct histogram_sample){counts, 12});
}

static void render_histogram(const struct bucket_config *config, const char *expected)
{
	struct buckets buckets;
	struct family f;
	const struct family *families[] = {&f};
	_cleanup_buf_ struct buf out = {0};

	assert_int_equal(buckets_init(&buckets, config), 0);
	assert_int_equal(family_init(&f, "", "h", "help", METRIC_HISTOGRAM), 0);
	f.buckets = &buckets;
	f.samples = one_histogram;
	exposition_render(&exposition_text, families, 1, &out);
	assert_string_equal(buf_str(&out), expected);
	family_free(&f);
	buckets_free(&buckets);
}

static void test_histogram(void **state)
{
	struct bucket_config plain = {.type = BUCKET_EXP2, .min = 0, .max = 2};
	struct bucket_config scaled = {.type = BUCKET_EXP2, .min = 0, .max = 2, .multiplier = 0.5};

	(void)state;
	render_histogram(&plain, "# HELP h help\n# TYPE h histogram\n"
				 "h_bucket{k=\"v\",le=\"1\"} 3\n"
				 "h_bucket{k=\"v\",le=\"2\"} 3\n"
				 "h_bucket{k=\"v\",le=\"4\"} 7\n"
				 "h_bucket{k=\"v\",le=\"+Inf\"} 7\n"
				 "h_sum{k=\"v\"} 12\n"
				 "h_count{k=\"v\"} 7\n");
	render_histogram(&scaled, "# HELP h help\n# TYPE h histogram\n"
				  "h_bucket{k=\"v\",le=\"0.5\"} 3\n"
				  "h_bucket{k=\"v\",le=\"1\"} 3\n"
				  "h_bucket{k=\"v\",le=\"2\"} 7\n"
				  "h_bucket{k=\"v\",le=\"+Inf\"} 7\n"
				  "h_sum{k=\"v\"} 6\n"
				  "h_count{k=\"v\"} 7\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counter),
		cmocka_unit_test(test_histogram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
