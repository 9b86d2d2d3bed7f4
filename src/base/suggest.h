/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

/*
 * The name in @names (@count of them, NULL entries skipped) that the person who wrote @word most
 * likely meant, by edit distance; NULL when none is near (more than a third of the letters differ).
 */
const char *suggest_nearest(const char *word, const char *const *names, size_t count);
