/* SPDX-License-Identifier: MIT */
/* Kernel parameters by their names, "net.core.somaxconn": what sysctl(8) does. */
#pragma once

#include "base/buf.h"

enum sysctl_rule { SYSCTL_EXACTLY, SYSCTL_AT_LEAST, SYSCTL_AT_MOST };

/* "is", "at least", "at most" */
const char *sysctl_rule_words(enum sysctl_rule rule);

/* The value of @name into @to, in the place of what was there, without the final newline. -ENOENT
 * when this kernel, or this network namespace, has none of that name. */
int sysctl_read(const char *name, struct buf *to);

/* Sets it; a negative errno. */
int sysctl_write(const char *name, const char *value);

/* Whether the two mean the same: the same words, whatever blanks are between them. */
bool sysctl_is_same(const char *a, const char *b);

/*
 * What @current has to become for the numbers in it to be as @rule and @wanted say, each for
 * itself,
 * into @to. False when it is so already. What is no number is set as it is wanted.
 */
bool sysctl_correct(const char *current, enum sysctl_rule rule, const char *wanted, struct buf *to);
