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

/* The option @name, into *ret, and whose it is; NULL when there is none. */
static const struct module *find_option(const struct module *m, const char *name, size_t *ret)
{
	const char *dot = strchr(name, '.');

	if (dot) {
		m = m->owner;
		name = dot + 1;
	}
	for (size_t i = 0; m && i < m->config->options.count; i++) {
		*ret = i;
		if (STREQ(m->config->options.items[i].name.text, name))
			return m;
	}
	return NULL;
}

const struct strv *module_option(const struct module *m, const char *name)
{
	size_t index;
	const struct module *of = find_option(m, name, &index);

	return of ? &of->values[index] : NULL;
}

static bool is_default(const struct option_config *option, const struct strv *values)
{
	bool same = values->count == option->defaults.count;

	for (size_t i = 0; same && i < values->count; i++)
		same = STREQ(values->items[i], option->defaults.items[i].text);
	return same;
}

bool module_option_is_on(const struct module *m, const char *name)
{
	size_t index;
	const struct module *of = find_option(m, name, &index);
	const struct option_config *option = of ? &of->config->options.items[index] : NULL;
	const struct strv *values = of ? &of->values[index] : NULL;
	bool on = false;

	if (option && option->type == OPTION_LIST)
		return !is_default(option, values);
	if (values && values->count)
		option_parse_bool(values->items[0], &on);
	return on;
}
