/* SPDX-License-Identifier: MIT */
/* The regular expressions of a config, compiled. All zero is an empty list. */
#pragma once

#include "base/regex.h"
#include "config/config.h"

struct patterns {
	struct regex **items;
	size_t count;
};

/* What is wrong with a pattern goes to @report at its place, all of them: -EINVAL then. @ret is to
 * be freed in any case. */
int patterns_compile(const struct text_list *texts, const struct source *source,
		     struct report *report, struct patterns *ret);
void patterns_free(struct patterns *p);
