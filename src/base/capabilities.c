// SPDX-License-Identifier: MIT
#include "base/capabilities.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>

#include "base/cleanup.h"
#include "base/file.h"

static void free_caps(cap_t *caps)
{
	if (*caps)
		cap_free(*caps);
}

static int parse_name(const char *text, cap_value_t *ret, struct error *e)
{
	char name[64];

	snprintf(name, sizeof(name), "%s%s", strncasecmp(text, "cap_", 4) ? "cap_" : "", text);
	if (cap_from_name(name, ret))
		return error_set_usage(e, "there is no capability '%s'; see capabilities(7)", text);
	return 0;
}

static uint64_t permitted_of(cap_t caps)
{
	uint64_t set = 0;

	for (cap_value_t value = 0; CAP_IS_SUPPORTED(value); value++) {
		cap_flag_value_t flag = CAP_CLEAR;

		cap_get_flag(caps, value, CAP_PERMITTED, &flag);
		if (flag == CAP_SET)
			set |= CAPABILITY(value);
	}
	return set;
}

static int read_permitted(uint64_t *ret, struct error *e)
{
	_cleanup_(free_caps) cap_t have = cap_get_proc();

	if (!have)
		return error_set(e, -errno, "cannot read the own capabilities: %s",
				 strerror(errno));
	*ret = permitted_of(have);
	return 0;
}

static int parse_one(const char *text, uint64_t have, uint64_t *set, struct error *e)
{
	cap_value_t value;
	int err = parse_name(text, &value, e);

	if (err)
		return err;
	if (!(have & CAPABILITY(value)))
		return error_set(e, -EPERM,
				 "capability '%s' cannot be kept: the daemon was started without "
				 "it",
				 text);
	*set |= CAPABILITY(value);
	return 0;
}

int capabilities_parse(const struct strv *names, uint64_t *ret, struct error *e)
{
	uint64_t have = 0, set = 0;
	int err = read_permitted(&have, e);

	if (!err && names->count == 1 && STREQ(names->items[0], "all"))
		set = have;
	else if (names->count != 1 || !STREQ(names->items[0], "none"))
		for (size_t i = 0; !err && i < names->count; i++)
			err = parse_one(names->items[i], have, &set, e);
	if (!err)
		*ret = set;
	return err;
}

int capabilities_keep(uint64_t keep, struct error *e)
{
	_cleanup_(free_caps) cap_t want = cap_init();
	uint64_t have = 0;
	int err = read_permitted(&have, e);

	if (err)
		return err;
	if (!want)
		return error_set(e, -ENOMEM, "no memory for the set of capabilities");
	for (cap_value_t value = 0; CAP_IS_SUPPORTED(value); value++) {
		if (!(keep & have & CAPABILITY(value)))
			continue;
		cap_set_flag(want, CAP_PERMITTED, 1, &value, CAP_SET);
		cap_set_flag(want, CAP_EFFECTIVE, 1, &value, CAP_SET);
	}
	if (cap_set_proc(want))
		return error_set(e, -errno, "cannot give up capabilities: %s", strerror(errno));
	return 0;
}

const char *capability_name(int capability, char name[static CAPABILITY_NAME_MAX])
{
	char *found = cap_to_name(capability);

	if (found)
		snprintf(name, CAPABILITY_NAME_MAX, "%s", found);
	else
		snprintf(name, CAPABILITY_NAME_MAX, "cap_%d", capability);
	cap_free(found);
	return name;
}

/* The number behind @key in @text; 0 without one. */
static uint64_t status_number(const char *text, const char *key, int base)
{
	const char *at = strstr(text, key);

	return at ? strtoull(at + strlen(key), NULL, base) : 0;
}

int capabilities_read(struct capability_sets *ret)
{
	char text[4096];
	ssize_t len = file_read_short("/proc/self/status", text, sizeof(text));

	if (len < 0)
		return (int)len;
	*ret = (struct capability_sets){
		.effective = status_number(text, "\nCapEff:", 16),
		.permitted = status_number(text, "\nCapPrm:", 16),
		.inheritable = status_number(text, "\nCapInh:", 16),
		.bounding = status_number(text, "\nCapBnd:", 16),
		.ambient = status_number(text, "\nCapAmb:", 16),
		.no_new_privileges = status_number(text, "\nNoNewPrivs:", 10),
	};
	return 0;
}

bool capabilities_are_needed(int (*call)(void))
{
	_cleanup_(free_caps) cap_t have = cap_get_proc();
	_cleanup_(free_caps) cap_t none = have ? cap_dup(have) : NULL;
	bool needed;

	if (!none || cap_clear_flag(none, CAP_EFFECTIVE) || cap_set_proc(none))
		return false;
	needed = call() == -EPERM;
	(void)cap_set_proc(have);
	return needed;
}

void capabilities_drop(void)
{
	_cleanup_(free_caps) cap_t none = cap_init();

	if (none)
		(void)cap_set_proc(none);
}
