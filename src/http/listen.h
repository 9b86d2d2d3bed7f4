/* SPDX-License-Identifier: MIT */
#pragma once

#include <sys/types.h>

#include "base/error.h"

/*
 * A socket that listens at @address: ":9435" (all addresses, IPv6 and IPv4), "10.0.0.1:9435",
 * "[::1]:9435", "name:9435", or one that the service manager passed: "fd://3" is descriptor 3, and
 * "fd://0" the first that was passed, as ebpf_exporter has it. The caller closes it.
 */
int listen_tcp(const char *address, int *ret_fd, struct error *e);

/* "fd://3" where the service manager has passed this process a socket, else NULL: $LISTEN_FDS and
 * $LISTEN_PID of sd_listen_fds(3). */
const char *listen_passed(void);

/* Whether @address says where to listen, without listening there. */
int listen_check(const char *address, struct error *e);

/*
 * A unix socket at @path with mode 0660 and of group @group, (gid_t)-1 for the process's own; its
 * directory made if it is missing. A socket file that
 * nobody listens at is replaced; -EADDRINUSE when somebody does, -EEXIST when the file is no
 * socket.
 */
int listen_unix(const char *path, gid_t group, int *ret_fd, struct error *e);
