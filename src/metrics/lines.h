/* SPDX-License-Identifier: MIT */
/* Lines of samples: what the Prometheus text format and OpenMetrics have in common. Each fits the
 * member of struct exposition that it is named after. */
#pragma once

#include "metrics/exposition.h"

void lines_add_uint(struct buf *out, const struct family *f, struct label_text labels,
		    uint64_t value);
void lines_add_double(struct buf *out, const struct family *f, struct label_text labels,
		      double value);

/* @points: whether bounds are spelled as OpenMetrics wants them, 1.0 instead of 1. */
void lines_add_histogram(struct buf *out, const struct family *f, struct label_text labels,
			 struct histogram_sample sample, bool points);

/* "# TYPE name word" or alike, with its line's end; @len bytes of @name. */
void lines_add_comment(struct buf *out, const char *kind, const char *name, size_t len,
		       const char *word);

/* The HELP of @f; @quotes: whether OpenMetrics wants quotes to be escaped as well. */
void lines_add_help(struct buf *out, const char *name, size_t len, const char *help, bool quotes);
