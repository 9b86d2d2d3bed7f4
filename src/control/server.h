/* SPDX-License-Identifier: MIT */
/* The control socket: the operations as HTTP + JSON over a unix socket. */
#pragma once

#include "base/error.h"
#include "control/reload.h"

struct control_server; /* opaque */

/*
 * Answers at @listen_fd (taken over in any case), which listens at the socket file @path, until
 * control_server_stop(), which removes the file. @reloader must outlive it. What changes something
 * is done in the loop of the agent: loop_drain() that before the stop, which waits for it.
 */
int control_server_start(struct reloader *reloader, int listen_fd, const char *path,
			 struct control_server **ret, struct error *e);
void control_server_stop(struct control_server *s);
