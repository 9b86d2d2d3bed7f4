// SPDX-License-Identifier: MIT
/* What this process may. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "host/ability.h"

/* The capability that the id of @a ends with. */
static int look_for(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	char lacks[64];

	(void)env, (void)f;
	return capabilities_held(strchr(a->id, '.') + 1, lacks) ? 0 : -EPERM;
}

/* What a process confines itself to by seccomp(2), as container engines do to it. */
static int look_at_seccomp(const struct ability_env *env, const struct ability *a,
			   struct finding *f)
{
	_cleanup_free_ void *text = NULL;
	size_t len;
	const char *line;
	int mode = 0, err = file_read("/proc/self/status", 1 << 16, &text, &len, NULL);

	(void)env;
	if (err)
		return err;
	line = strstr(text, "\nSeccomp:");
	if (line)
		sscanf(line, "\nSeccomp: %d", &mode);
	finding_set(f, FINDING_OK, "%s: %s", a->purpose,
		    mode ? "a filter of system calls" : "no filter of system calls");
	return 0;
}

/* The one that it is in already; and whether those of other users' processes can be found. */
static int try_entering(const struct ability_env *env, const struct ability *a, struct finding *f)
{
	_cleanup_close_ int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int first = open("/proc/1/ns/net", O_RDONLY | O_CLOEXEC);

	(void)env, (void)a;
	if (own < 0 || setns(own, CLONE_NEWNET))
		return -errno;
	if (first < 0) {
		finding_set(f, FINDING_DEGRADED,
			    "namespaces of other users' processes are not found, only those in "
			    "/run/netns (option netns)");
		finding_advise(f, "cap_sys_ptrace, and nothing that confines this process");
	}
	return 0;
}

#define CAPABILITY(name_, purpose_, loss_)                                                         \
	{                                                                                          \
		.id = "capability." name_, .name = "cap_" name_, .purpose = purpose_,              \
		.loss = loss_, .remedy = "run as root, or AmbientCapabilities= in the unit",       \
		.attempt = look_for                                                                \
	}

static const struct ability rows[] = {
	CAPABILITY("bpf", "maps and programs", "without it nothing can be loaded"),
	CAPABILITY("perfmon", "programs that look at the kernel",
		   "without it nothing can be traced"),
	CAPABILITY("net_admin", "programs in the network",
		   "without it nothing is attached to interfaces"),
	CAPABILITY("sys_admin", "other network namespaces",
		   "without it other network namespaces are not entered (option netns)"),
	CAPABILITY("sys_ptrace", "processes and namespaces of other users",
		   "without it namespaces of other users' processes are not found"),
	CAPABILITY("syslog", "addresses of the kernel's functions",
		   "without it these are hidden where kernel.kptr_restrict is 1"),
	{.id = "privilege.namespaces",
	 .name = "namespaces",
	 .purpose = "entering network namespaces",
	 .loss = "other network namespaces cannot be entered: nothing is attached in them",
	 .remedy = "cap_sys_admin",
	 .attempt = try_entering},
	{.id = "privilege.seccomp",
	 .name = "seccomp",
	 .purpose = "what confines this process",
	 .attempt = look_at_seccomp},
};

ABILITIES(privileges, FINDING_PRIVILEGES, 200, rows);
