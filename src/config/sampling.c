// SPDX-License-Identifier: MIT
#include "config/sampling.h"

#include <stdlib.h>
#include <string.h>

#include "base/macro.h"

/* Less would be a slice in five hours. */
#define LEAST_PERCENT 0.001

static bool parse_percent(const char *text, double *ret)
{
	size_t len = strspn(text, "0123456789.");
	char *end;

	if (len == 0 || !STREQ(text + len, "%"))
		return false;
	*ret = strtod(text, &end);
	return end == text + len && *ret >= LEAST_PERCENT && *ret <= 100;
}

bool sampling_parse(const char *text, struct sampling *ret)
{
	double percent;

	if (STREQ(text, "off")) {
		*ret = (struct sampling){.kind = SAMPLING_OFF};
		return true;
	}
	if (STREQ(text, "always"))
		percent = 100;
	else if (!parse_percent(text, &percent))
		return false;
	if (percent == 100)
		*ret = (struct sampling){.kind = SAMPLING_ALWAYS, .share = 1};
	else
		*ret = (struct sampling){.kind = SAMPLING_SLICES, .share = percent / 100};
	return true;
}
