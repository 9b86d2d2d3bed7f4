// SPDX-License-Identifier: MIT
/* Values of modules' options, as text and as what the program gets. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/plan.h"

static const struct {
	const char *text;
	bool value;
} truths[] = {
	{"true", true}, {"false", false}, {"yes", true}, {"no", false},
	{"on", true},   {"off", false},   {"1", true},   {"0", false},
};

int option_parse_bool(const char *text, bool *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(truths); i++) {
		if (strcasecmp(truths[i].text, text) == 0) {
			*ret = truths[i].value;
			return 0;
		}
	}
	return -EINVAL;
}

int option_parse_uint(const char *text, uint64_t *ret)
{
	unsigned long long n;
	char *end;

	if (text[0] < '0' || text[0] > '9') /* strtoull takes blanks and signs */
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno || *end)
		return -EINVAL;
	*ret = n;
	return 0;
}

const char *option_type_name(enum option_type type)
{
	static const char *const names[] = {
		[OPTION_BOOL] = "bool",       [OPTION_UINT] = "uint", [OPTION_STRING] = "string",
		[OPTION_NETWORK] = "network", [OPTION_LIST] = "list",
	};

	return names[type];
}

const struct strv *module_option(const struct module *m, const char *name)
{
	for (size_t i = 0; i < m->config->options.count; i++) {
		if (STREQ(m->config->options.items[i].name.text, name))
			return &m->values[i];
	}
	return NULL;
}

bool module_option_is_on(const struct module *m, const char *name)
{
	const struct strv *values = module_option(m, name);
	bool on = false;

	if (values && values->count)
		option_parse_bool(values->items[0], &on);
	return on;
}
