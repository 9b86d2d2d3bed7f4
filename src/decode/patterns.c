// SPDX-License-Identifier: MIT
#include "decode/patterns.h"

#include <errno.h>
#include <stdlib.h>

static int add_pattern(struct patterns *p, const struct text *text, const struct source *source,
		       struct report *report)
{
	struct error error;
	size_t at = 0;
	int err = regex_compile(text->text, &p->items[p->count], &at, &error);

	if (err == -EINVAL)
		return report_error(report, source,
				    source_place_within(source, text->place, text->text, at),
				    "pattern '%s' is wrong at byte %zu: %s", text->text, at,
				    error.text);
	p->count += !err;
	return err;
}

int patterns_compile(const struct text_list *texts, const struct source *source,
		     struct report *report, struct patterns *ret)
{
	int err = 0;

	*ret = (struct patterns){
		.items = calloc(MAX(texts->count, (size_t)1), sizeof(struct regex *))};
	if (!ret->items)
		return -ENOMEM;
	for (size_t i = 0; i < texts->count; i++) {
		int failed = add_pattern(ret, &texts->items[i], source, report);

		if (failed)
			err = failed;
	}
	return err;
}

void patterns_free(struct patterns *p)
{
	for (size_t i = 0; i < p->count; i++)
		regex_free(p->items[i]);
	free(p->items);
	*p = (struct patterns){0};
}
