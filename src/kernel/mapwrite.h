/* SPDX-License-Identifier: MIT */
#pragma once

/* Set the entry of @key in the map of descriptor @fd, and remove it: 0 or a negative errno. */
int mapwrite_put(int fd, const void *key, const void *value);
int mapwrite_remove(int fd, const void *key);
