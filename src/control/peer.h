/* SPDX-License-Identifier: MIT */
/* Who asks at the control socket, as the kernel says (unix(7), SO_PEERCRED). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* Whose members may ask beside root, where there is such a group. */
#define CONTROL_GROUP "wiregauge"

struct peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	uid_t login_uid; /* as whom the process was logged in, before sudo(8); -1: not known */
	char comm[16];   /* of the process; "" when it has gone */
	bool member;     /* of CONTROL_GROUP */
};

/* Of the connected unix socket @fd: 0 or a negative errno. */
int peer_read(int fd, struct peer *ret);

/* root, the daemon's own user, and members of the group may. -EACCES with a sentence. */
int peer_check(const struct peer *p, struct error *e);

/* "uid 0 (login 1000), process 4711 (wiregauge)" */
enum { PEER_TEXT_MAX = 96 };
const char *peer_text(const struct peer *p, char text[static PEER_TEXT_MAX]);

/* The group's number, or (gid_t)-1 where it is not there. */
gid_t peer_group(void);
