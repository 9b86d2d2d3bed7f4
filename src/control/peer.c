// SPDX-License-Identifier: MIT
#include "control/peer.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

enum { GROUP_ENTRY_MAX = 64 << 10 };

gid_t peer_group(void)
{
	_cleanup_free_ char *memory = malloc(GROUP_ENTRY_MAX);
	struct group group, *found = NULL;

	if (!memory || getgrnam_r(CONTROL_GROUP, &group, memory, GROUP_ENTRY_MAX, &found) || !found)
		return (gid_t)-1;
	return found->gr_gid;
}

/* The groups that it had when it connected, SO_PEERGROUPS: what it is now may be another
 * process. */
static bool has_group(int fd, gid_t wanted)
{
	_cleanup_free_ gid_t *groups = NULL;
	socklen_t size = 0;
	gid_t none;

	/* How many there are; no error means that there is none. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, &none, &size) == 0 || errno != ERANGE)
		return false;
	groups = malloc(size);
	if (!groups || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size))
		return false;
	for (size_t i = 0; i < size / sizeof(*groups); i++) {
		if (groups[i] == wanted)
			return true;
	}
	return false;
}

/* /proc/PID/NAME into @to, which stays "" when the process has gone. */
static void read_proc(pid_t pid, const char *name, char *to, size_t size)
{
	char path[64];

	to[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	if (file_read_short(path, to, size) < 0)
		to[0] = '\0';
	to[strcspn(to, "\n")] = '\0';
}

int peer_read(int fd, struct peer *ret)
{
	gid_t group = peer_group();
	struct ucred credentials;
	socklen_t size = sizeof(credentials);
	char login[16];

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size))
		return -errno;
	*ret = (struct peer){credentials.uid, credentials.gid, credentials.pid, (uid_t)-1};
	ret->member = group != (gid_t)-1 && (ret->gid == group || has_group(fd, group));
	read_proc(ret->pid, "comm", ret->comm, sizeof(ret->comm));
	read_proc(ret->pid, "loginuid", login, sizeof(login));
	if (login[0])
		ret->login_uid = (uid_t)strtoul(login, NULL, 10);
	return 0;
}

int peer_check(const struct peer *p, struct error *e)
{
	if (p->uid == 0 || p->uid == geteuid() || p->member)
		return 0;
	error_set(e, -EACCES, "user %u may not ask the daemon anything", (unsigned)p->uid);
	return error_hint(e, "become root, or a member of the group " CONTROL_GROUP);
}

const char *peer_text(const struct peer *p, char text[static PEER_TEXT_MAX])
{
	int len = snprintf(text, PEER_TEXT_MAX, "uid %u", (unsigned)p->uid);

	if (p->login_uid != (uid_t)-1 && p->login_uid != p->uid)
		len += snprintf(text + len, PEER_TEXT_MAX - (size_t)len, " (login %u)",
				(unsigned)p->login_uid);
	len += snprintf(text + len, PEER_TEXT_MAX - (size_t)len, ", process %d", (int)p->pid);
	if (p->comm[0])
		snprintf(text + len, PEER_TEXT_MAX - (size_t)len, " (%s)", p->comm);
	return text;
}
