// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>

#include "decode/decoder.h"
#include "decode/patterns.h"

static void release_regexp(void *state)
{
	patterns_free(state);
	free(state);
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

static int prepare_regexp(const struct decoder_setup *setup, struct decode_step *step)
{
	const struct text_list *texts = &step->config->regexps;
	struct patterns *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	step->state = p;
	err = patterns_compile(texts, setup->source, setup->report, p);
	for (size_t i = 0; !err && i < p->count; i++)
		warn_of_groups(setup, &texts->items[i], p->items[i]);
	return err;
}

static int decode_regexp(const struct decode_env *env, const struct decode_step *step,
			 const void *in, size_t len, struct buf *out)
{
	const struct patterns *p = step->state;

	(void)env;
	for (size_t i = 0; i < p->count; i++) {
		unsigned groups = regex_groups(p->items[i]);
		struct regex_span span;
		int n = groups > 1 ? 0 : regex_match(p->items[i], in, len, groups, &span);

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
	.gives = FORM_TEXT, .prepare = prepare_regexp, .release = release_regexp,
	.decode = decode_regexp);
