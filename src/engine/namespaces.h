/* SPDX-License-Identifier: MIT */
/*
 * Following the network namespaces that rows of `attach:` are about. While these are about the own
 * one alone, nothing of it is there: no timer, no descriptor.
 */
#pragma once

#include "engine/agent.h"

/* After the units have changed: begins, goes on, or ends. */
void namespaces_follow(struct agent *a, link_event_fn fn);

/* Looks again soon, as there may be new ones. */
void namespaces_look_soon(struct agent *a);

void namespaces_close(struct agent *a);

/* Whether anything is about others than the own. */
bool namespaces_are_followed(const struct agent *a);
