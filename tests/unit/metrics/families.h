/* SPDX-License-Identifier: MIT */
/* Families for the tests of the formats: the same for each of them. */
#pragma once

#include <math.h>

#include "metrics/exposition.h"

/* A family and its samples; buckets only of histograms. */
struct test_family {
	struct family family;
	struct buckets buckets;
};

static inline void family_open(struct test_family *t, const char *name, const char *help,
			       enum metric_type type, family_samples_fn samples)
{
	assert_int_equal(family_init(&t->family, "", name, help, type), 0);
	t->family.samples = samples;
	t->family.buckets = &t->buckets;
	t->buckets = (struct buckets){0};
}

static inline void histogram_open(struct test_family *t, const char *name,
				  const struct bucket_config *config, family_samples_fn samples)
{
	family_open(t, name, "help", METRIC_HISTOGRAM, samples);
	assert_int_equal(buckets_init(&t->buckets, config), 0);
}

static inline void family_close(struct test_family *t)
{
	family_free(&t->family);
	buckets_free(&t->buckets);
}

/* All @count of them, which are in the order of their names. */
static inline void render_all(const struct exposition *x, struct test_family *families,
			      size_t count, struct buf *out)
{
	const struct family *list[16];

	assert_true(count <= ARRAY_SIZE(list));
	for (size_t i = 0; i < count; i++)
		list[i] = &families[i].family;
	exposition_render(x, (struct family_list){list, count}, out);
}

static inline void one_uint(const struct family *f, const struct exposition *x, struct buf *out)
{
	x->add_uint(out, f, (struct label_text){0}, 1);
}

static inline void no_samples(const struct family *f, const struct exposition *x, struct buf *out)
{
	(void)f;
	(void)x;
	(void)out;
}

/* Every byte that needs care: a quote, a backslash, a newline, NUL, and what is not UTF-8. */
static inline void hostile_samples(const struct family *f, const struct exposition *x,
				   struct buf *out)
{
	_cleanup_buf_ struct buf labels = {0};

	label_text_add(&labels, "a", "x\"y\\z\n\xff\0,}", 10);
	label_text_add_str(&labels, "b", "");
	x->add_uint(out, f, (struct label_text){labels.data, labels.len}, UINT64_MAX);
	x->add_double(out, f, (struct label_text){labels.data, labels.len}, -INFINITY);
}

static inline void some_histograms(const struct family *f, const struct exposition *x,
				   struct buf *out)
{
	static const uint64_t counts[] = {3, 0, 4};
	static const uint64_t huge[] = {1, UINT64_MAX, 5}; /* more than there are numbers for */

	x->add_histogram(out, f, (struct label_text){"k=\"v\"", 5},
			 (struct histogram_sample){counts, 12});
	x->add_histogram(out, f, (struct label_text){0}, (struct histogram_sample){huge, 12});
}
