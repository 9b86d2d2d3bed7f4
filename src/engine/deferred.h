/* SPDX-License-Identifier: MIT */
/*
 * Programs for devices without a link layer (tun, wireguard, ppp …), which most hosts do not have:
 * they are loaded when the first of these comes. They are verified for as long as those for all
 * other devices.
 *
 * An object that is loaded takes no further programs, so its file is opened once more and its
 * programs are loaded with the maps of the first.
 */
#pragma once

#include "engine/unit.h"

/* Which programs of @u, of which none is loaded, can wait. Not where the daemon will give up what
 * loading takes, and not strictly, as then all has to be seen at the start. */
void deferred_choose(struct unit *u);

/* Loads program @index and all others that wait as it does; nothing to do where it does not wait.
 * After a failure it goes on waiting, for the next interface. */
int deferred_load(struct unit *u, size_t index, struct error *e);

/* Unloads what was loaded so. All wait again. */
void deferred_unload(struct unit *u);
