// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>

#include "base/regex.h"
#include "decode/decoder.h"

struct regexps {
	struct regex **items;
	size_t count;
};

static void release_regexps(void *state)
{
	struct regexps *r = state;

	for (size_t i = 0; i < r->count; i++)
		regex_free(r->items[i]);
	free(r->items);
	free(r);
}

/* Patterns of ebpf_exporter with two groups are legal there and match nothing. */
static void warn_of_groups(const struct decoder_setup *setup, const struct text *pattern,
			   const struct regex *regex)
{
	if (regex_groups(regex) > 1)
		report_warning(setup->report, setup->source, pattern->place,
			       "a pattern with %u groups counts as one that does not match; leave "
			       "one, or write (?:…) for the others",
			       regex_groups(regex));
}

static int add_pattern(const struct decoder_setup *setup, const struct text *pattern,
		       struct regexps *r)
{
	struct error error;
	size_t at = 0;
	int err = regex_compile(pattern->text, &r->items[r->count], &at, &error);

	if (err == -EINVAL)
		return report_error(setup->report, setup->source,
				    source_place_within(setup->source, pattern->place,
							pattern->text, at),
				    "pattern '%s' is wrong at byte %zu: %s", pattern->text, at,
				    error.text);
	if (err)
		return err;
	warn_of_groups(setup, pattern, r->items[r->count++]);
	return 0;
}

static int prepare_regexp(const struct decoder_setup *setup, struct decode_step *step)
{
	const struct text_list *patterns = &step->config->regexps;
	struct regexps *r = calloc(1, sizeof(*r));
	int err = 0;

	if (!r)
		return -ENOMEM;
	step->state = r;
	r->items = calloc(patterns->count, sizeof(struct regex *));
	if (!r->items)
		return -ENOMEM;
	for (size_t i = 0; i < patterns->count; i++) {
		int failed = add_pattern(setup, &patterns->items[i], r);

		if (failed)
			err = failed;
	}
	return err;
}

static int decode_regexp(const struct decode_env *env, const struct decode_step *step,
			 const void *in, size_t len, struct buf *out)
{
	const struct regexps *r = step->state;

	(void)env;
	for (size_t i = 0; i < r->count; i++) {
		unsigned groups = regex_groups(r->items[i]);
		struct regex_span span;
		int n = groups > 1 ? 0 : regex_match(r->items[i], in, len, groups, &span);

		if (n < 0)
			return n;
		if (n) {
			buf_add(out, (const char *)in + span.at, span.len);
			return DECODE_OK;
		}
	}
	return DECODE_DROP;
}

DECODER(regexp, .name = "regexp",
	.doc = "text → the group of the first pattern that matches, or all of the match without a "
	       "group; where none matches, the entry is left out",
	.parameters = DECODER_PARAM_REGEXPS, .required = DECODER_PARAM_REGEXPS, .takes = FORM_ANY,
	.gives = FORM_TEXT, .prepare = prepare_regexp, .release = release_regexps,
	.decode = decode_regexp);
