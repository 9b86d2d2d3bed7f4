/* SPDX-License-Identifier: MIT */
/* Tells the service manager again and again that the event loop still turns (WatchdogSec= of
 * systemd.service(5)): one that hangs is ended and started anew. */
#pragma once

#include "base/loop.h"

struct watchdog {
	int fd;
};

#define WATCHDOG_NONE ((struct watchdog){.fd = -1})

/* Begins where the service manager asks for it, $WATCHDOG_USEC; else does nothing. @w must outlive
 * the loop. A negative errno when there is no timer to be had. */
int watchdog_start(struct watchdog *w, struct loop *l);
void watchdog_stop(struct watchdog *w);
