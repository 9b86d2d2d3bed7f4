// SPDX-License-Identifier: MIT
#include "base/capabilities.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>

#include "base/cleanup.h"

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

int capabilities_keep(const struct strv *keep, struct error *e)
{
	_cleanup_(free_caps) cap_t have = NULL;
	_cleanup_(free_caps) cap_t want = NULL;
	bool none = keep->count == 1 && STREQ(keep->items[0], "none");

	if (keep->count == 1 && STREQ(keep->items[0], "all"))
		return 0;
	have = cap_get_proc();
	want = cap_init();
	if (!have || !want)
		return error_set(e, -ENOMEM, "no memory for the set of capabilities");
	for (size_t i = 0; i < keep->count && !none; i++) {
		cap_flag_value_t permitted = CAP_CLEAR;
		cap_value_t value;
		int err = parse_name(keep->items[i], &value, e);

		if (err)
			return err;
		cap_get_flag(have, value, CAP_PERMITTED, &permitted);
		if (permitted != CAP_SET)
			return error_set(e, -EPERM,
					 "capability '%s' cannot be kept: the daemon was "
					 "started without it",
					 keep->items[i]);
		cap_set_flag(want, CAP_PERMITTED, 1, &value, CAP_SET);
		cap_set_flag(want, CAP_EFFECTIVE, 1, &value, CAP_SET);
	}
	if (cap_set_proc(want))
		return error_set(e, -errno, "cannot give up capabilities: %s", strerror(errno));
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
