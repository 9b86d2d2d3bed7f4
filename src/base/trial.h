/* SPDX-License-Identifier: MIT */
/* Work on bytes that nobody vouches for, by a library that may not survive them. */
#pragma once

#include <stdbool.h>

typedef void (*trial_fn)(void *ctx);

/*
 * Calls @fn in a child process, silently, and says whether it came back: not when it crashed or
 * took longer than ten seconds. Nothing of what it does stays. The child has no descriptor but the
 * standard ones and dies with the calling thread. -errno when there is no child.
 */
int trial_run(trial_fn fn, void *ctx, bool *ret_survived);
