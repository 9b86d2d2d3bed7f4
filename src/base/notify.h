/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Tells the service manager: "READY=1", "STOPPING=1", "STATUS=…" (sd_notify(3), which documents the
 * protocol for reimplementing). Does nothing and gives back 0 where $NOTIFY_SOCKET is not set, a
 * negative errno where it is set and the message could not be sent.
 */
int notify_send(const char *state);
