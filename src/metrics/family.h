/* SPDX-License-Identifier: MIT */
/*
 * A metric family: one name with its help and type, and whoever can say its samples now. Everything
 * that is served (what BPF maps hold, what the daemon knows of itself) is a family, so that a
 * scrape is one walk over families in the order of their names.
 */
#pragma once

#include "base/buf.h"
#include "metrics/buckets.h"

struct exposition;
struct family;

/* Appends the samples of @f to @out in the format @x. It must not fail: what is missing is left
 * out. */
typedef void (*family_samples_fn)(const struct family *f, const struct exposition *x,
				  struct buf *out);

struct family {
	char *name; /* as exposed, prefix included */
	char *help;
	enum metric_type type;
	const struct buckets *buckets; /* histograms; belongs to whoever made the family */
	family_samples_fn samples;
	void *ctx; /* for `samples` */
};

/* The labels of a sample as the text formats write them: a="b",c="d", escaped, sorted by name; no
 * braces; empty for none. */
struct label_text {
	const char *text;
	size_t len;
};

/* Appends name="value" to @b, after a comma if there is something before, escaped as the text
 * formats want it (backslash, quote, newline). Bytes that are not UTF-8 become U+FFFD, and so does
 * NUL, at which Prometheus stops to read text. */
void label_text_add(struct buf *b, const char *name, const char *value, size_t len);

/* The same for a C string. */
void label_text_add_str(struct buf *b, const char *name, const char *value);

/* One label of a label_text: parts of it, the value still escaped. */
struct label_pair {
	const char *name;
	size_t name_len;
	const char *value;
	size_t value_len;
	size_t escapes; /* of two bytes for one, in the value */
};

/* Takes the first label off @rest; false when there is none. */
bool label_text_next(struct label_text *rest, struct label_pair *ret);

/* The length of the name of @f without the _total that counters end in. */
size_t family_base_len(const struct family *f);

/* The base unit that the first @len bytes of @name end in, of those that Prometheus's naming rules
 * have; NULL: none. */
const char *family_unit(const char *name, size_t len);

/* Copies of @prefix + '_' + @name (just @name where @prefix is empty) and @help; -ENOMEM. */
int family_init(struct family *f, const char *prefix, const char *name, const char *help,
		enum metric_type type);
void family_free(struct family *f);

/* Whether the two would have samples of one name: equal names, or one is a part of a histogram. */
bool family_collides(const struct family *a, const struct family *b);
