// SPDX-License-Identifier: MIT
#include "base/user.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/capabilities.h"
#include "base/cleanup.h"

enum { USER_ENTRY_MAX = 64 << 10 };

int user_find(const char *name, struct user *ret, struct error *e)
{
	_cleanup_free_ char *memory = malloc(USER_ENTRY_MAX);
	struct passwd entry, *found = NULL;

	if (!memory)
		return error_set(e, -ENOMEM, "no memory");
	if (getpwnam_r(name, &entry, memory, USER_ENTRY_MAX, &found) || !found)
		return error_set_usage(e,
				       "there is no user '%s'; make one: useradd --system "
				       "--user-group --no-create-home --shell /usr/sbin/nologin %s",
				       name, name);
	*ret = (struct user){found->pw_uid, found->pw_gid};
	return 0;
}

/* Nothing that this process may ever start gets others. Without the right to it, no_new_privs has
 * to do. */
static void narrow_bounding_set(uint64_t keep)
{
	for (cap_value_t value = 0; CAP_IS_SUPPORTED(value); value++) {
		if (!(keep & CAPABILITY(value)))
			(void)cap_drop_bound(value);
	}
}

int user_become(const char *name, const struct user *u, uint64_t keep, struct error *e)
{
	narrow_bounding_set(keep);
	/* Else all go with the last uid that is 0. */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) || initgroups(name, u->gid) ||
	    setresgid(u->gid, u->gid, u->gid) || setresuid(u->uid, u->uid, u->uid) ||
	    prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0))
		return error_set(e, -errno,
				 "cannot become user '%s': %s; start the daemon as root "
				 "for it, or as that user without --user",
				 name, error_words(-errno));
	/* As if it had been started as that user: what is in /proc/self stays its own. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return capabilities_keep(keep, e);
}
